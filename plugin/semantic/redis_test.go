package semantic

import (
	"crypto/tls"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"go-ai-proxy/plugin/config"
	"go-ai-proxy/plugin/credentials"
	"go-ai-proxy/plugin/semantic/searchtest"
)

func redisConfig(s *searchtest.Server, metric string) *config.VectorDB {
	return &config.VectorDB{Strategy: "redis", Dimensions: 3, DistanceMetric: metric, Redis: &config.Redis{
		Host: "127.0.0.1", Port: s.Port(), KeepalivePoolSize: 4, ConnectTimeout: 20000, SendTimeout: 20000, ReadTimeout: 20000,
	}}
}

func open(t *testing.T, c *config.VectorDB, namespace string, targets []Target) Index {
	t.Helper()
	x, err := Open(c, namespace, Texts(targets, "s"))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestRedisSearchesWhatItStores(t *testing.T) {
	s := searchtest.New(t)
	testIndexSearchesWhatItStores(t, func(metric, namespace string, targets []Target) Index {
		return open(t, redisConfig(s, metric), namespace, targets)
	})
	if n := len(s.Keys("go-ai-proxy:semantic:p1:vector:")); n != 1 {
		t.Errorf("%d vectors are left of the plugin's one description", n)
	}
}

// testIndexSearchesWhatItStores is what every index must do.
func testIndexSearchesWhatItStores(t *testing.T, open func(metric, namespace string, targets []Target) Index) {
	code := Texts(three, "s")[0].ID
	for metric, want := range map[Metric]float64{Cosine: .2, Euclidean: math.Sqrt2} {
		p := open(string(metric), "p1", three)
		other := open(string(metric), "p2", three)
		defer p.Close()
		defer other.Close()
		vectors := map[string][]float32{code: {1, 2, 0}, Texts(three, "s")[1].ID: {0, 0, 9}}
		for range 2 { // storing twice is storing once
			if err := p.Save(t.Context(), vectors); err != nil {
				t.Fatal(err)
			}
		}
		distances, err := p.Search(t.Context(), []float32{2, 1, 0})
		if err != nil || len(distances) != 2 {
			t.Fatalf("%v %v", distances, err)
		}
		if math.Abs(distances[code]-want) > 1e-4 {
			t.Errorf("%s: %v, want %v", metric, distances[code], want)
		}
		if loaded, err := p.Load(t.Context()); err != nil || fmt.Sprint(loaded) != fmt.Sprint(vectors) {
			t.Errorf("%v %v, stored %v", loaded, err, vectors)
		}
		if err := other.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		if loaded, err := other.Load(t.Context()); err != nil || len(loaded) > 0 {
			t.Errorf("another plugin's: %v %v", loaded, err)
		}
		changed := open(string(metric), "p1", []Target{{Description: "something else"}})
		defer changed.Close()
		if err := changed.Save(t.Context(), map[string][]float32{Texts([]Target{{Description: "something else"}}, "s")[0].ID: {1, 1, 1}}); err != nil {
			t.Fatal(err)
		}
		if loaded, err := p.Load(t.Context()); err != nil || len(loaded) > 0 {
			t.Errorf("the old descriptions are still there: %v %v", loaded, err)
		}
	}
}

func TestRouterSearchesRedisAndNoticesWhatIsMissing(t *testing.T) {
	s := searchtest.New(t)
	m := &model{}
	o := m.options(three...)
	o.Threshold = threshold(.3)
	o.Index = open(t, redisConfig(s, "cosine"), "p", three)
	r := start(t, o)
	rank := func() Choice { return r.Rank(t.Context(), "golang code", all(r)) }
	if got := rank(); got.Ranked[0] != 0 || len(got.Warnings) > 0 || s.Count("FT.SEARCH") != 1 {
		t.Fatalf("%+v after %d searches", got, s.Count("FT.SEARCH"))
	}
	s.Forget()
	if got := rank(); got.Ranked[0] != 0 || len(got.Warnings) != 1 {
		t.Errorf("%+v", got)
	}
	s.Kill()
	if got := rank(); got.Ranked[0] != 0 || len(got.Warnings) != 1 || !strings.Contains(got.Reason, "in memory") {
		t.Errorf("%+v", got)
	}
	s.Revive(t)
	deadline := time.Now().Add(20 * time.Second)
	got := rank()
	for len(got.Warnings) > 0 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
		got = rank()
	}
	if got.Ranked[0] != 0 || len(got.Warnings) > 0 {
		t.Errorf("Redis is back, but %+v", got)
	}
}

func TestOnlyOneProcessEmbedsTheDescriptions(t *testing.T) {
	s := searchtest.New(t)
	first, second := &model{}, &model{}
	for _, m := range []*model{first, second} {
		o := m.options(three...)
		o.Index = open(t, redisConfig(s, "cosine"), "p", three)
		r := start(t, o)
		r.Rank(t.Context(), "code", all(r))
	}
	if first.calls.Load() != 3 || second.calls.Load() != 1 {
		t.Errorf("%d and %d calls: two descriptions and a prompt, and a prompt", first.calls.Load(), second.calls.Load())
	}
}

func TestVectorsOfAnotherLengthAreComparedInMemory(t *testing.T) {
	s := searchtest.New(t)
	m := &model{}
	o := m.options(three...)
	c := redisConfig(s, "cosine")
	c.Dimensions, o.Dimensions = 1536, 1536
	o.Index = open(t, c, "p", three)
	r := start(t, o)
	if got := r.Rank(t.Context(), "code", all(r)); got.Ranked[0] != 0 || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "vectordb.dimensions is 1536") {
		t.Errorf("%+v", got)
	}
}

func TestValkeysAnswersAreUnderstood(t *testing.T) {
	s := searchtest.New(t)
	x := open(t, redisConfig(s, "cosine"), "p", three)
	defer x.Close()
	ids := Texts(three, "s")
	set := x.(*redisIndex).set
	s.Script = func(args []string) (string, bool) {
		switch args[0] {
		case "FT.CREATE":
			return "-Index go-ai-proxy:semantic:p:3:cosine already exists.\r\n", true
		case "FT.SEARCH": // the score first or last, and in no order
			key := func(i int) string { return searchtest.Bulk("go-ai-proxy:semantic:p:vector:" + set + ":" + ids[i].ID) }
			return searchtest.Array(":2\r\n", key(1), searchtest.Array(searchtest.Bulk("vector"), searchtest.Bulk("\x00\x00"), searchtest.Bulk("distance"), searchtest.Bulk("0.75")),
				key(0), searchtest.Array(searchtest.Bulk("distance"), searchtest.Bulk("0.25"), searchtest.Bulk("set"), searchtest.Bulk(set))), true
		}
		return "", false
	}
	if err := x.Prepare(t.Context()); err != nil {
		t.Error(err)
	}
	got, err := x.Search(t.Context(), []float32{1, 2, 3})
	if err != nil || got[ids[0].ID] != .25 || got[ids[1].ID] != .75 {
		t.Errorf("%v %v", got, err)
	}
}

func TestRedisClientIsConfiguredAsAsked(t *testing.T) {
	five := 5
	base := config.Redis{Host: "r.example", Port: 6380, Username: "u", Password: "p", Database: 3, SSL: true, SSLVerify: true, ServerName: "sni.example",
		ConnectTimeout: 100, SendTimeout: 200, ReadTimeout: 300, KeepalivePoolSize: 7, KeepaliveBacklog: &five}
	one := mainClient(&base).(*redis.Client)
	defer one.Close()
	o := one.Options()
	if o.Addr != "r.example:6380" || o.Username != "u" || o.Password != "p" || o.DB != 3 || o.PoolSize != 7 ||
		o.DialTimeout != 100*time.Millisecond || o.WriteTimeout != 200*time.Millisecond || o.ReadTimeout != 300*time.Millisecond {
		t.Errorf("%+v", o)
	}
	if o.TLSConfig == nil || o.TLSConfig.ServerName != "sni.example" || o.TLSConfig.InsecureSkipVerify || o.TLSConfig.MinVersion < tls.VersionTLS12 {
		t.Errorf("TLS %+v", o.TLSConfig)
	}
	cluster := base
	cluster.ClusterNodes, cluster.ClusterRedirections = []config.IPPort{{IP: "10.0.0.1", Port: 7000}, {IP: "10.0.0.2", Port: 7001}}, 9
	many := mainClient(&cluster).(*redis.ClusterClient)
	defer many.Close()
	if o := many.Options(); fmt.Sprint(o.Addrs) != "[10.0.0.1:7000 10.0.0.2:7001]" || o.MaxRedirects != 9 || o.TLSConfig == nil {
		t.Errorf("%+v", o)
	}
	sentinel := base
	sentinel.SentinelNodes, sentinel.SentinelMaster, sentinel.SentinelRole = []config.HostPort{{Host: "127.0.0.1", Port: 1}}, "main", "master"
	failover, ok := mainClient(&sentinel).(*redis.Client)
	if !ok {
		t.Fatal("no client of Sentinel")
	}
	defer failover.Close()
	if a := failover.Options().Addr; a != "FailoverClient" {
		t.Errorf("address %q", a)
	}
}

func mainClient(c *config.Redis) redis.UniversalClient {
	client, _ := redisClients(c, nil)
	return client
}

func TestRedisInACloudIsToldTheTokenOfTheIdentity(t *testing.T) {
	t.Setenv("AWS_REGION", "us-east-1")
	server := searchtest.New(t)
	var told []string
	server.Script = func(args []string) (string, bool) {
		if strings.EqualFold(args[0], "auth") {
			told = slices.Clone(args[1:])
			return "+OK\r\n", true
		}
		return "", false
	}
	c := redisConfig(server, "cosine")
	c.Redis.Username = "iam-user"
	c.Redis.CloudAuth = &credentials.Cloud{Provider: "aws", AWSCacheName: "cache", AWSAccessKeyID: "AKID", AWSSecretAccessKey: "secret"}
	x := open(t, c, "p", three)
	defer x.Close()
	if err := x.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || told[0] != "iam-user" || !strings.HasPrefix(told[1], "cache/?Action=connect") {
		t.Errorf("AUTH %q", told)
	}
	if life := x.(*redisIndex).client.(*redis.Client).Options().ConnMaxLifetime; life != credentials.LoginLife {
		t.Errorf("connections live for %v", life)
	}
	c.Redis.CloudAuth.AWSCacheName = ""
	if _, err := Open(c, "p", nil); err == nil {
		t.Error("a cache without a name is accepted")
	}
}

// TestReplicaIsSearchedAndTheMasterIsWritten: a replica refuses what is
// written with READONLY.
func TestReplicaIsSearchedAndTheMasterIsWritten(t *testing.T) {
	master, replica, sentinel := searchtest.New(t), searchtest.New(t), searchtest.New(t)
	bulks := func(texts ...string) string {
		for i := range texts {
			texts[i] = searchtest.Bulk(texts[i])
		}
		return searchtest.Array(texts...)
	}
	sentinel.Script = func(args []string) (string, bool) {
		switch strings.ToLower(strings.Join(args[:min(2, len(args))], " ")) {
		case "sentinel get-master-addr-by-name":
			return bulks("127.0.0.1", fmt.Sprint(master.Port())), true
		case "sentinel replicas":
			return searchtest.Array(bulks("ip", "127.0.0.1", "port", fmt.Sprint(replica.Port()), "flags", "slave")), true
		case "sentinel sentinels":
			return "*0\r\n", true
		}
		return "", false
	}
	replica.Script = func(args []string) (string, bool) {
		switch args[0] {
		case "FT.SEARCH":
			return "*1\r\n:0\r\n", true
		}
		return "-READONLY You can't write against a read only replica.\r\n", true
	}
	c := redisConfig(master, "cosine")
	c.Redis.SentinelNodes, c.Redis.SentinelMaster = []config.HostPort{{Host: "127.0.0.1", Port: sentinel.Port()}}, "main"
	for role, want := range map[string][2]int{"slave": {0, 1}, "master": {1, 0}, "any": {1, 0}} {
		c.Redis.SentinelRole = role
		x := open(t, c, "p", three)
		before := [2]int{master.Count("FT.SEARCH"), replica.Count("FT.SEARCH")}
		if err := x.Save(t.Context(), map[string][]float32{Texts(three, "s")[0].ID: {1, 2, 3}}); err != nil {
			t.Errorf("%s: %v", role, err)
		}
		if _, err := x.Search(t.Context(), []float32{1, 2, 3}); err != nil {
			t.Errorf("%s: %v", role, err)
		}
		if got := [2]int{master.Count("FT.SEARCH") - before[0], replica.Count("FT.SEARCH") - before[1]}; got != want {
			t.Errorf("%s: searches at the master and at the replica: %v, want %v", role, got, want)
		}
		x.Close()
	}
}

func TestRoutingSurvivesNonsenseFromTheVectorDatabase(t *testing.T) {
	for _, nonsense := range []string{"*2147483647\r\n", "$9223372036854775807\r\n", strings.Repeat("*1\r\n", 1<<20)} {
		s := searchtest.New(t)
		s.Script = func([]string) (string, bool) { return nonsense, true }
		m := &model{}
		o := m.options(three...)
		o.Index = open(t, redisConfig(s, "cosine"), "p", three)
		r := start(t, o)
		if got := r.Rank(t.Context(), "code", all(r)); got.Ranked[0] != 0 || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "the connection is closed") {
			t.Errorf("%.20q: %+v", nonsense, got)
		}
	}
}
