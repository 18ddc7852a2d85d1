/*
 * Makes the sidecar enforce what the policies decide, where FSM's own modules cannot.
 *
 * It stands in three places, and is one file because a place is known by what it sees:
 *   first in `outbound-tcp`            a stream, before its target is chosen
 *   first in `outbound-http`           a stream of requests, before they are routed
 *   behind `outbound-http-routing.js`  requests, after they have been routed
 *
 * A traffic match tells it what to do by the key `Enforce`, which FSM's modules do not look at:
 *   Egress       the match leads out of the mesh
 *   Accept       what a client may send, of "tls" and "http"; anything where the key is absent
 *   ServerNames  the cluster of each server name; any name where the key is absent
 *   SourceCert   the certificate that is shown to the outside
 */
((
  config = pipy.solve('config.js'),

  httpChain = config?.Chains?.['outbound-http'],

  // The sidecar's own certificate, where it has one, stands for those that FSM issues.
  certificateOf = cert => cert?.FsmIssued && config?.Certificate?.CertChain ? config.Certificate : cert,

  kinds = { TLS: 'tls', HTTP: 'http', HTTP2: 'http' },

  // A match that leads to one cluster only. Matches are shared by all connections, so this is a copy.
  leadingTo = (match, cluster) => Object.assign({}, match, {
    TcpServiceRouteRules: { TargetClusters: { [cluster]: 100 }, AllowedEgressTraffic: false },
  }),
) => pipy({
  _rules: null,
  _sends: undefined,
  _serverNames: undefined,
  _goesOn: undefined,
})

.import({
  __port: 'outbound',
  __protocol: 'outbound',
  __isEgress: 'outbound',
  __cert: 'outbound',
})

.pipeline()
.handleStreamStart(
  () => (
    _rules = __port?.Enforce,
    // What counts as egress gets no mesh mTLS, and goes through the egress gateway.
    _rules?.Egress && (
      __isEgress = true,
      __cert = certificateOf(_rules.SourceCert)
    )
  )
)
.branch(
  () => __protocol === 'http' || !_rules?.Accept, (
    $=>$
    // Only behind the routing are there messages; who calls is nobody's business outside the mesh.
    .handleMessageStart(
      msg => _rules?.Egress && (
        delete msg.head.headers.serviceidentity
      )
    )
    .chain()
  ),

  () => _rules.Accept.length === 0, (
    // The stream's start must stay: without it the client's bytes would be echoed.
    $=>$.replaceData(() => new StreamEnd)
  ),

  (
    $=>$
    // Both look at the first bytes and hold nothing back; the branch does, until one of its conditions holds.
    .detectProtocol(
      protocol => _sends = kinds[protocol] || 'bytes'
    )
    .handleTLSClientHello(
      hello => _serverNames = hello.serverNames || []
    )
    .branch(
      () => _sends === 'tls' && _serverNames && (
        _goesOn = _rules.Accept.includes('tls') && (
          (
            cluster = _rules.ServerNames?.[(_serverNames[0] || '').toLowerCase()],
          ) => (
            cluster && (__port = leadingTo(__port, cluster)),
            Boolean(cluster || !_rules.ServerNames)
          )
        )(),
        true
      ), (
        $=>$.branch(
          () => _goesOn, (
            $=>$.chain()
          ),
          (
            $=>$.replaceData(() => new StreamEnd)
          )
        )
      ),

      () => _sends === 'http' && _rules.Accept.includes('http'), (
        $=>$
        .handleStreamStart(
          () => __protocol = 'http'
        )
        .chain(httpChain)
      ),

      () => _sends && _sends !== 'tls', (
        $=>$.replaceData(() => new StreamEnd)
      )
    )
  )
)

)()
