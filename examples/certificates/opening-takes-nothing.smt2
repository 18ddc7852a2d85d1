; claim: what is allowed before is allowed after
; expected: unsat, as it holds
; of: curl.curl
; of: any other account
; document: sha256 9a75a00e1158652d5091ae06bf56026e90c5deaa455a723a9c222ce5d352e104 examples/egress-demo/http-two-routes.yaml
; document: sha256 ebd38e2b27e1d88ab609241d7c6a609b957e475a3e3a74f2e1775ffd733f15af examples/egress-demo/mesh-config.yaml
; document: sha256 9a75a00e1158652d5091ae06bf56026e90c5deaa455a723a9c222ce5d352e104 after: examples/egress-demo/http-two-routes.yaml
; document: sha256 e356d1acff2977e9d3d84aac431ec3a34ded24feb7169c141639a70f7e875d9f after: examples/egress-demo/mesh-config.yaml
; question: Is there a connection that is allowed before, and not after?
(set-info :smt-lib-version 2.6)
(set-info :status unsat)
(set-logic ALL)

(declare-datatypes ((Sends 0)) (((sends-bytes) (sends-nothing) (sends-datagram) (sends-tls) (sends-http))))
(declare-const sends Sends) ; what the client sends first
(declare-const to-ipv6 Bool) ; whether the destination is an IPv6 address; else it is an IPv4 address
(declare-const ipv4 (_ BitVec 32))
(declare-const ipv6 (_ BitVec 128))
(declare-const port (_ BitVec 16))
(declare-const method String) ; of a request, as it is sent
(declare-const authority String) ; the Host of a request in lower case, as hosts are compared
(declare-const path String) ; of a request with its query, a character for each byte
(assert (not (= port #x0000)))
(assert (not (= ((_ extract 127 32) ipv6) #x00000000000000000000ffff))) ; those are IPv4 addresses
(define-fun |visible| () RegLan (re.union (re.range "!" "~") (re.++ (re.range "\u{c2}" "\u{df}") (re.range "\u{80}" "\u{bf}")) (re.++ (str.to_re "\u{e0}") (re.range "\u{a0}" "\u{bf}") (re.range "\u{80}" "\u{bf}")) (re.++ (re.union (re.range "\u{e1}" "\u{ec}") (re.range "\u{ee}" "\u{ef}")) (re.range "\u{80}" "\u{bf}") (re.range "\u{80}" "\u{bf}")) (re.++ (str.to_re "\u{ed}") (re.range "\u{80}" "\u{9f}") (re.range "\u{80}" "\u{bf}")) (re.++ (str.to_re "\u{f0}") (re.range "\u{90}" "\u{bf}") (re.range "\u{80}" "\u{bf}") (re.range "\u{80}" "\u{bf}")) (re.++ (re.range "\u{f1}" "\u{f3}") (re.range "\u{80}" "\u{bf}") (re.range "\u{80}" "\u{bf}") (re.range "\u{80}" "\u{bf}")) (re.++ (str.to_re "\u{f4}") (re.range "\u{80}" "\u{8f}") (re.range "\u{80}" "\u{bf}") (re.range "\u{80}" "\u{bf}"))))
(assert (str.in_re path (re.+ |visible|)))

(define-fun |to 0.0.0.0/8| () Bool
  (and (not to-ipv6) (= ((_ extract 31 24) ipv4) #x00)))
(define-fun |to 127.0.0.0/8| () Bool
  (and (not to-ipv6) (= ((_ extract 31 24) ipv4) #x7f)))
(define-fun |to 224.0.0.0/4| () Bool
  (and (not to-ipv6) (= ((_ extract 31 28) ipv4) #xe)))
(define-fun |to 240.0.0.0/4| () Bool
  (and (not to-ipv6) (= ((_ extract 31 28) ipv4) #xf)))
(define-fun |to ::/128| () Bool
  (and to-ipv6 (= ipv6 #x00000000000000000000000000000000)))
(define-fun |to ::1/128| () Bool
  (and to-ipv6 (= ipv6 #x00000000000000000000000000000001)))
(define-fun |to ff00::/8| () Bool
  (and to-ipv6 (= ((_ extract 127 120) ipv6) #xff)))
(define-fun |an address that can be dialled| () Bool
  (not (or |to 0.0.0.0/8| |to 127.0.0.0/8| |to 224.0.0.0/4| |to 240.0.0.0/4| |to ::/128| |to ::1/128| |to ff00::/8|)))
(define-fun |port 80| () Bool
  (= port #x0050))
(define-fun |claimed by Egress curl/httpbin-80 spec.ports[0] (examples/egress-demo/http-two-routes.yaml:27)| () Bool
  (= port #x0050))
(define-fun |for httpbin.org, port 80| () Bool
  (or (= authority "httpbin.org") (= authority "httpbin.org:80")))
(define-fun |a method that is forwarded| () Bool
  (or (= method "GET") (= method "HEAD") (= method "POST") (= method "PUT") (= method "DELETE") (= method "PATCH") (= method "OPTIONS")))
(define-fun |pattern /get| () RegLan
  (re.++ re.all (str.to_re "/get") re.all))
(define-fun |path has /get| () Bool
  (str.in_re path |pattern /get|))
(define-fun |matches HTTPRouteGroup curl/egress-http-route spec.matches[0] (examples/egress-demo/http-two-routes.yaml:9)| () Bool
  (and |a method that is forwarded| |path has /get|))
(define-fun |pattern /status.*| () RegLan
  (re.++ re.all (str.to_re "/status") re.all))
(define-fun |path has /status.*| () Bool
  (str.in_re path |pattern /status.*|))
(define-fun |matches HTTPRouteGroup curl/egress-http-route spec.matches[1] (examples/egress-demo/http-two-routes.yaml:11)| () Bool
  (and |a method that is forwarded| |path has /status.*|))
(define-fun |a route of Egress curl/httpbin-80 spec.ports[0] (examples/egress-demo/http-two-routes.yaml:27)| () Bool
  (or |matches HTTPRouteGroup curl/egress-http-route spec.matches[0] (examples/egress-demo/http-two-routes.yaml:9)| |matches HTTPRouteGroup curl/egress-http-route spec.matches[1] (examples/egress-demo/http-two-routes.yaml:11)|))
(define-fun |to 0.0.0.0/32| () Bool
  (and (not to-ipv6) (= ipv4 #x00000000)))
(define-fun |passes by the sidecar| () Bool
  (or |to 0.0.0.0/32| |to 127.0.0.0/8|))
(define-fun |on port 80 was allowed| () Bool
  (or (or (= sends sends-datagram) |passes by the sidecar|) (and |port 80| (and |claimed by Egress curl/httpbin-80 spec.ports[0] (examples/egress-demo/http-two-routes.yaml:27)| (and (= sends sends-http) (and (and |for httpbin.org, port 80| |claimed by Egress curl/httpbin-80 spec.ports[0] (examples/egress-demo/http-two-routes.yaml:27)|) (and |claimed by Egress curl/httpbin-80 spec.ports[0] (examples/egress-demo/http-two-routes.yaml:27)| |a route of Egress curl/httpbin-80 spec.ports[0] (examples/egress-demo/http-two-routes.yaml:27)|)))))))
(define-fun |on port 80 is allowed| () Bool
  (or (or (= sends sends-datagram) |passes by the sidecar|) (or (not |port 80|) (or (not |claimed by Egress curl/httpbin-80 spec.ports[0] (examples/egress-demo/http-two-routes.yaml:27)|) (and (= sends sends-http) (and (and |for httpbin.org, port 80| |claimed by Egress curl/httpbin-80 spec.ports[0] (examples/egress-demo/http-two-routes.yaml:27)|) (and |claimed by Egress curl/httpbin-80 spec.ports[0] (examples/egress-demo/http-two-routes.yaml:27)| |a route of Egress curl/httpbin-80 spec.ports[0] (examples/egress-demo/http-two-routes.yaml:27)|)))))))
(define-fun |contradicted by curl.curl| () Bool
  (and |an address that can be dialled| (and |port 80| (and |on port 80 was allowed| (not |on port 80 is allowed|)))))

(assert |contradicted by curl.curl|)
(check-sat)
