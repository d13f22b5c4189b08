package acl

import (
	"slices"
	"testing"
)

func TestAPathIsReadInEveryWayThatAServerMay(t *testing.T) {
	for path, want := range map[string][]string{
		"/a":        {"/a"},
		"/a;b":      {"/a", "/a;b"},
		"/a%2Fb":    {"/a%2Fb", "/a/b"},
		"/a%3Bc/d":  {"/a%3Bc/d", "/a/d", "/a;c/d"},
		"/a;x/..;/": {"/", "/a;x/..;/"},
	} {
		if got := readings(path); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestAPathNamesAModelAsWholeSegments(t *testing.T) {
	for _, c := range []struct {
		path, name string
		want       bool
	}{
		{"/models/m", "m", true}, {"/models/m:predict", "m", true}, {"/m/x", "m", true}, {"/models/org/m:predict", "org/m", true}, {"/models/m:1/x", "m:1", true},
		{"/models/m2", "m", false}, {"/models/xm", "m", false}, {"/models/m", "", false}, {"/models/", "", false},
	} {
		if got := inPath([]string{"/other", c.path}, c.name); got != c.want {
			t.Errorf("%q in %s: %v", c.name, c.path, got)
		}
	}
}

func TestNobodyIsMeantByAnEmptyValue(t *testing.T) {
	if among([]string{""}, "") || among(nil, "") || !among([]string{"", "a"}, "a") {
		t.Error("who has no name is one of those without a name")
	}
}

func TestAddressesMatchHoweverTheyAreWritten(t *testing.T) {
	for _, c := range []struct {
		value, addr string
		want        bool
	}{
		{"10.0.0.1", "10.0.0.1", true}, {"10.0.0.1", "10.0.0.2", false}, {"10.0.0.1", "::ffff:10.0.0.1", true}, {"::ffff:10.0.0.1", "10.0.0.1", true},
		{"10.0.0.0/8", "10.255.0.1", true}, {"10.0.0.0/8", "11.0.0.1", false}, {"10.0.0.0/8", "::ffff:10.1.1.1", true}, {"10.1.2.3/8", "10.9.9.9", true},
		{"::ffff:10.0.0.0/104", "10.1.1.1", true}, {"::ffff:10.0.0.0/104", "11.1.1.1", false}, {"::ffff:0:0/96", "192.0.2.1", true}, {"::/0", "2001:db8::1", true},
		{"2001:db8::/32", "2001:db8:1::1", true}, {"2001:db8::/32", "2001:db9::1", false}, {"fe80::/10", "fe80::1%eth0", true}, {"fe80::1", "fe80::1%eth0", true},
		{"0.0.0.0/0", "203.0.113.9", true}, {"0.0.0.0/0", "2001:db8::1", false}, {"nonsense", "10.0.0.1", false},
		{"2001:db8::1/128", "2001:db8::2", false}, {"2001:db8::1/128", "2001:db8::1", true}, {"::ffff:10.0.0.1/128", "10.0.0.1", true}, {"::ffff:0:0/95", "::fffe:102:304", true}, {"::ffff:10.0.0.0/97", "127.0.0.1", true}, {"::ffff:10.0.0.0/97", "128.0.0.1", false},
	} {
		if got := containsAddr([]string{c.value}, c.addr, false); got != c.want {
			t.Errorf("%s in %s: %v", c.addr, c.value, got)
		}
	}
	for _, unreadable := range []bool{false, true} {
		if containsAddr([]string{"10.0.0.1"}, "unix:", unreadable) != unreadable {
			t.Error("an address that is none must be denied and never allowed")
		}
	}
}
