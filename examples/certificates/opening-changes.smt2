; claim: every connection fares the same
; connection: 192.0.2.1:1 TCP
; expected: sat, as the connection refutes it
; of: curl.curl
; document: sha256 9a75a00e1158652d5091ae06bf56026e90c5deaa455a723a9c222ce5d352e104 examples/egress-demo/http-two-routes.yaml
; document: sha256 ebd38e2b27e1d88ab609241d7c6a609b957e475a3e3a74f2e1775ffd733f15af examples/egress-demo/mesh-config.yaml
; document: sha256 9a75a00e1158652d5091ae06bf56026e90c5deaa455a723a9c222ce5d352e104 after: examples/egress-demo/http-two-routes.yaml
; document: sha256 e356d1acff2977e9d3d84aac431ec3a34ded24feb7169c141639a70f7e875d9f after: examples/egress-demo/mesh-config.yaml
; question: Is there a connection of which something else becomes after than before? Rules of other ports than 1, where it goes, are not written down.
(set-info :smt-lib-version 2.6)
(set-info :status sat)
(set-logic ALL)

(declare-datatypes ((Sends 0)) (((sends-bytes) (sends-nothing) (sends-datagram) (sends-tls) (sends-http))))
(declare-const sends Sends) ; what the client sends first
(declare-const to-ipv6 Bool) ; whether the destination is an IPv6 address; else it is an IPv4 address
(declare-const ipv4 (_ BitVec 32))
(declare-const ipv6 (_ BitVec 128))
(declare-const port (_ BitVec 16))
(assert (not (= port #x0000)))
(assert (not (= ((_ extract 127 32) ipv6) #x00000000000000000000ffff))) ; those are IPv4 addresses

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
(define-fun |to 0.0.0.0/32| () Bool
  (and (not to-ipv6) (= ipv4 #x00000000)))
(define-fun |passes by the sidecar| () Bool
  (or |to 0.0.0.0/32| |to 127.0.0.0/8|))
(define-fun |before: DENIED and closed| () Bool
  (not (or (= sends sends-datagram) |passes by the sidecar|)))
(define-fun |before: PASSTHROUGH to the original destination| () Bool
  (or (= sends sends-datagram) |passes by the sidecar|))
(define-fun |contradicted by curl.curl| () Bool
  (and |an address that can be dialled| (or (distinct |before: DENIED and closed| false) (distinct |before: PASSTHROUGH to the original destination| true))))

(assert |contradicted by curl.curl|)
(assert (= sends sends-bytes))
(assert (= to-ipv6 false))
(assert (= ipv4 #xc0000201))
(assert (= port #x0001))
(check-sat)
