// The receiver's work in Go: net/http, franz-go, 200 only when the journal has it (acks=all, idempotent).
package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type entry struct {
	V                 int               `json:"v"`
	Type              string            `json:"type"`
	Provider          string            `json:"provider"`
	Account           string            `json:"account"`
	ProviderMessageID string            `json:"provider_message_id"`
	ProviderStatus    string            `json:"provider_status"`
	ProviderCode      *string           `json:"provider_code"`
	ProviderDetails   map[string]string `json:"provider_details"`
	ProviderTime      *int64            `json:"provider_time"`
	Source            string            `json:"source"`
	ObservedAt        int64             `json:"observed_at"`
	Raw               string            `json:"raw"`
	Status            string            `json:"status"`
	Reason            string            `json:"reason"`
	Permanent         *bool             `json:"permanent"`
}

var statuses = map[string][2]string{
	"delivered": {"delivered", "none"}, "sent": {"sent", "none"}, "failed": {"failed", "unspecified"},
}

func read(values url.Values, raw string) (*entry, bool) {
	id, word := values.Get("message_uuid"), strings.ToLower(values.Get("status"))
	meaning, known := statuses[word]
	if id == "" || len(id) > 128 || !known {
		return nil, false
	}
	one := &entry{
		V: 1, Type: "report", Provider: "dexatel", Account: "default", ProviderMessageID: id, ProviderStatus: word,
		ProviderDetails: map[string]string{}, Source: "callback", ObservedAt: time.Now().UnixMilli(), Raw: raw,
		Status: meaning[0], Reason: meaning[1],
	}
	if seconds, err := strconv.ParseInt(values.Get("timestamp"), 10, 64); err == nil {
		milliseconds := seconds * 1000
		one.ProviderTime = &milliseconds
	}
	if code := values.Get("error_code"); code != "" {
		one.ProviderCode = &code
	}
	return one, true
}

func main() {
	servers, topic, address, secret := os.Args[1], os.Args[2], os.Args[3], []byte(os.Args[4])
	client, err := kgo.NewClient(
		kgo.SeedBrokers(servers),
		kgo.DefaultProduceTopic(topic),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.ProducerLinger(2*time.Millisecond),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
	)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /dlr/dexatel/{secret}", func(answer http.ResponseWriter, request *http.Request) {
		if subtle.ConstantTimeCompare([]byte(request.PathValue("secret")), secret) != 1 {
			http.NotFound(answer, request)
			return
		}
		one, readable := read(request.URL.Query(), request.URL.RawQuery)
		if !readable {
			http.Error(answer, "unreadable", http.StatusBadRequest)
			return
		}
		value, err := json.Marshal(one)
		if err == nil {
			key := []byte("dexatel:default:" + one.ProviderMessageID)
			err = client.ProduceSync(context.Background(), &kgo.Record{Key: key, Value: value}).FirstErr()
		}
		if err != nil {
			http.Error(answer, "try again later", http.StatusServiceUnavailable)
			return
		}
		answer.Write([]byte("OK"))
	})
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, nil))
}
