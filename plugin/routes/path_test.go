package routes

import "testing"

func TestPathsAreNormalizedLikeKongsRouter(t *testing.T) {
	for path, want := range map[string]string{
		"/":             "/",
		"/a/b":          "/a/b",
		"/a/":           "/a/",
		"//":            "/",
		"/a//b":         "/a/b",
		"/a//":          "/a/",
		"/a/./b":        "/a/b",
		"/a/.":          "/a/",
		"/a/b/..":       "/a/",
		"/a/../b":       "/b",
		"/../b":         "/b",
		"/../../b":      "/b",
		"/a/b/../../c":  "/c",
		"/a/..b":        "/a/..b",
		"%61":           "a",
		"/%61%62":       "/ab",
		"/%6a%6A":       "/jj",
		"/%5a%7A":       "/Zz",
		"/%09":          "/\t",
		"/%90":          "/\x90",
		"/%aa%AA":       "/\xaa\xaa",
		"/%ff%FF":       "/\xff\xff",
		"/a%2fb":        "/a%2Fb",
		"/a%2fb%3fc":    "/a%2Fb%3Fc",
		"/%21x":         "/%21x",
		"/%252e":        "/%252e",
		"/a/%2e%2e/b":   "/b",
		"/a/%2E/b":      "/a/b",
		"/%":            "/%",
		"/%4":           "/%4",
		"/%41":          "/A",
		"/%4g%g4%/4":    "/%4g%g4%/4",
		"/%:0%@1%`1%G1": "/%:0%@1%`1%G1",
		"/%0:%1@%1`%1G": "/%0:%1@%1`%1G",
		"/%0/":          "/%0/",
		"/%/0":          "/%/0",
	} {
		if got := NormalizePath(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}
