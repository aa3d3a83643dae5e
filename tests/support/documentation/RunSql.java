// Runs the statements of a file in Flink, and prints the rows of a query when its bounded sources are read.

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.apache.flink.util.CloseableIterator;

public final class RunSql {
    public static void main(String[] arguments) throws Exception {
        TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
        for (String statement : Files.readString(Path.of(arguments[0])).split(";")) {
            if (!statement.isBlank()) {
                tables.executeSql(statement);
            }
        }
        Set<String> rows = new LinkedHashSet<>();
        try (CloseableIterator<Row> changes = tables.executeSql(arguments[1]).collect()) {
            while (changes.hasNext()) {
                Row change = changes.next();
                RowKind kind = change.getKind();
                change.setKind(RowKind.INSERT);
                if (kind == RowKind.INSERT || kind == RowKind.UPDATE_AFTER) {
                    rows.add(change.toString());
                } else {
                    rows.remove(change.toString());
                }
            }
        }
        rows.forEach(System.out::println);
    }
}
