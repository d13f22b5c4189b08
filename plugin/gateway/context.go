package gateway

import (
	"fmt"
	"net/url"
	"strings"

	"go-ai-proxy/plugin/wire"
)

// encodeContext writes a context in the same form as the shim.
func encodeContext(c *wire.Context) string {
	v := url.Values{"path": {c.Path}, "ip": {c.ClientIP}}
	set := func(k, s string) {
		if s != "" {
			v.Set(k, s)
		}
	}
	if c.Shim {
		v.Set("shim", "1")
	}
	if c.Traced {
		v.Set("traced", "1")
	}
	set("id", c.RequestID)
	set("record", c.RecordID)
	set("worker", c.Worker)
	set("route", c.Route)
	set("consumer.id", c.Consumer.ID)
	set("consumer.username", c.Consumer.Username)
	set("consumer.custom_id", c.Consumer.CustomID)
	for k, s := range c.Captures {
		v.Set("c."+k, s)
	}
	v["groups"], v["group_ids"] = c.Groups, c.GroupIDs
	return v.Encode()
}

// decodeContext reads what the shim or encodeContext wrote.
func decodeContext(query string) (wire.Context, error) {
	var c wire.Context
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		k, v, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(k)
		if err != nil {
			return c, fmt.Errorf("context from the access phase: %w", err)
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			return c, fmt.Errorf("context from the access phase: %w", err)
		}
		switch key {
		case "shim":
			c.Shim = true
		case "traced":
			c.Traced = true
		case "path":
			c.Path = value
		case "ip":
			c.ClientIP = value
		case "id":
			c.RequestID = value
		case "record":
			c.RecordID = value
		case "worker":
			c.Worker = value
		case "route":
			c.Route = value
		case "consumer.id":
			c.Consumer.ID = value
		case "consumer.username":
			c.Consumer.Username = value
		case "consumer.custom_id":
			c.Consumer.CustomID = value
		case "groups":
			c.Groups = append(c.Groups, value)
		case "group_ids":
			c.GroupIDs = append(c.GroupIDs, value)
		default:
			if name, ok := strings.CutPrefix(key, "c."); ok {
				if c.Captures == nil {
					c.Captures = map[string]string{}
				}
				c.Captures[name] = value
			}
		}
	}
	return c, nil
}
