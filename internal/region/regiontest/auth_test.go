package regiontest

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAuthentication(t *testing.T) {
	p := newPerson(t, Options{})
	good := header(AdminKey, time.Now())
	tests := []struct {
		name, header string
		status       int
		body         string
	}{
		{"good", good, 200, "ubuntu/noble"},
		{"the same nonce again", good, 401, "Authorization Error: 'Nonce already used: "},
		{"nonce of another key", strings.NewReplacer("AdminConsumer00001", "UserConsumer000001",
			"AdminToken00000001", "UserToken000000001",
			"AdminSecret000000000000000000001", "UserSecret0000000000000000000001").Replace(good), 200, "noble"},
		{"nothing", "", 401, "Forbidden"},
		{"no nonce", strings.Replace(header(AdminKey, time.Now()), "oauth_nonce", "nonce", 1), 401, "Forbidden"},
		{"unknown key", header("a:b:c", time.Now()), 401, "Authorization Error: Invalid API key."},
		{"unknown token", header("AdminConsumer00001:b:c", time.Now()), 401, "Authorization Error: 'Invalid access token: b'"},
		{"wrong secret", header("AdminConsumer00001:AdminToken00000001:c", time.Now()), 401, "Invalid signature."},
		{
			"signature not encoded", strings.Replace(header(AdminKey, time.Now()), "%26", "&", 1), 401, "Invalid signature.",
		},
		{
			"other method", strings.Replace(header(AdminKey, time.Now()), "PLAINTEXT", "RSA", 1), 401,
			"Signature method RSA not supported",
		},
		{"old", header(AdminKey, time.Now().Add(-302*time.Second)), 401, "has a greater difference than threshold 300"},
		{"not so old", header(AdminKey, time.Now().Add(-290*time.Second)), 200, "noble"},
		{"ahead", header(AdminKey, time.Now().Add(310*time.Second)), 401, "Expired timestamp: given"},
		{"realm first", strings.Replace(header(AdminKey, time.Now()), "OAuth ", `OAuth realm="MAAS API", `, 1), 200, "noble"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			req, err := http.NewRequest("GET", p.r.URL+"/api/2.0/boot-resources/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if test.header != "" {
				req.Header.Set("Authorization", test.header)
			}
			p := p
			p.t = t
			p.want(p.send(req), test.status, test.body)
		})
	}
	for _, q := range p.r.Requests() {
		if strings.Contains(q.String(), "Secret") {
			t.Errorf("the log has a secret: %s", q)
		}
	}
}

func TestTimestampNoNumber(t *testing.T) {
	for version, status := range map[string]int{"3.7.3": 500, "3.8.0": 400} {
		p := newPerson(t, Options{Version: version})
		req, err := http.NewRequest("GET", p.r.URL+"/api/2.0/boot-resources/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", strings.Replace(header(AdminKey, time.Now()), `timestamp="`, `timestamp="x`, 1))
		p.want(p.send(req), status, "")
	}
}

func TestClock(t *testing.T) {
	p := newPerson(t, Options{Clock: func() time.Time { return time.Now().Add(-time.Hour) }})
	p.want(p.get(resourcesPath), 401, "Expired timestamp")
	p = newPerson(t, Options{Faults: []Fault{{Match: Method("GET"), Do: WrongClock(10 * time.Minute)}}})
	p.want(p.get(resourcesPath), 401, "Expired timestamp")
	p.want(p.get(resourcesPath), 200, "")
}

func TestAnonymousAndOrdinaryUsers(t *testing.T) {
	every(t, func(t *testing.T, version string) {
		p := newPerson(t, Options{Version: version})
		p.key = ""
		a := p.get(apiPath + "version/")
		p.want(a, 200, `"version": "`+version+`"`)
		if a.header.Get("X-MAAS-API-Hash") == "" || a.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("headers %v", a.header)
		}
		p.want(p.get(apiPath+"describe/"), 200, "BootResourcesHandler")
		p.want(p.get(resourcesPath), 401, "")

		p.key = UserKey
		p.want(p.get(resourcesPath), 200, "Synced")
		data := image(100, 1)
		p.want(p.post(fields("mine", data)), 403, "This method is reserved for admin users.")
		p.want(p.put(resourcesPath+"1/upload/1/", data), 403, "")
		p.want(p.do("DELETE", resourcesPath+"1/", "", nil), 403, "")
	})
}
