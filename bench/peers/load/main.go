// HTTP load: so many connections, each sends its next callback when it has the answer to the last one. Every callback
// is about another message. Says, as JSON, how many were answered with 200 and how long they took.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

type found struct {
	OK      int     `json:"ok"`
	Other   int     `json:"other"`
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
}

// answered reads one answer and tells its status.
func answered(reader *bufio.Reader) (int, error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	status, err := strconv.Atoi(string(line[9:12]))
	length := 0
	for err == nil {
		line, err = reader.ReadSlice('\n')
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("content-length")) {
			length, err = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
	}
	if err == nil {
		_, err = io.CopyN(io.Discard, reader, int64(length))
	}
	return status, err
}

func main() {
	address, path := os.Args[1], os.Args[2]
	connections, _ := strconv.Atoi(os.Args[3])
	requests, _ := strconv.Atoi(os.Args[4])
	var number, other atomic.Int64
	took := make([][]time.Duration, connections)
	var all sync.WaitGroup
	started := time.Now()
	for worker := range connections {
		all.Add(1)
		go func() {
			defer all.Done()
			connection, err := net.Dial("tcp", address)
			if err != nil {
				other.Add(1)
				return
			}
			defer connection.Close()
			reader := bufio.NewReader(connection)
			for {
				next := number.Add(1)
				if next > int64(requests) {
					return
				}
				id := fmt.Sprintf("%08x-7b1c-4e5f-9a2d-%012x", started.UnixNano()&0xffffffff, next)
				head := "GET " + path + "?message_uuid=" + id + "&status=delivered&error_code=000&timestamp=1795336287 HTTP/1.1\r\n"
				began := time.Now()
				if _, err = connection.Write([]byte(head + "Host: bench\r\nUser-Agent: bench\r\n\r\n")); err == nil {
					var status int
					if status, err = answered(reader); err == nil && status == 200 {
						took[worker] = append(took[worker], time.Since(began))
						continue
					}
				}
				other.Add(1)
				if err != nil {
					return
				}
			}
		}()
	}
	all.Wait()
	seconds := time.Since(started).Seconds()
	var times []time.Duration
	for _, one := range took {
		times = append(times, one...)
	}
	sort.Slice(times, func(a, b int) bool { return times[a] < times[b] })
	result := found{OK: len(times), Other: int(other.Load()), Seconds: seconds}
	if len(times) > 0 {
		result.P50 = float64(times[len(times)/2].Microseconds()) / 1000
		result.P99 = float64(times[len(times)*99/100].Microseconds()) / 1000
	}
	json.NewEncoder(os.Stdout).Encode(result)
}
