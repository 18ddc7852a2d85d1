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
  own = config?.Certificate,
  certificateOf = cert => cert?.FsmIssued && own?.CertChain && own?.PrivateKey ? own : cert,

  kinds = { TLS: 'tls', HTTP: 'http', HTTP2: 'http' },

  // A match that leads to one cluster only. Matches are shared by all connections, so this is a copy.
  leadingTo = (match, cluster) => Object.assign({}, match, {
    TcpServiceRouteRules: { TargetClusters: { [cluster]: 100 }, AllowedEgressTraffic: false },
  }),

  // What the rules of a match come to, worked out once and not for every connection. The copies above must not
  // be made anew each time: the routing keeps a balancer, for ever, for each TargetClusters that it has seen.
  plans = new algo.Cache(
    match => (
      (
        { Egress, Accept, ServerNames, SourceCert } = match?.Enforce || {},
      ) => ({
        egress: Boolean(Egress),
        cert: certificateOf(SourceCert),
        any: !Accept,
        none: Accept?.length === 0,
        tls: Boolean(Accept?.includes?.('tls')),
        http: Boolean(Accept?.includes?.('http')),
        ports: ServerNames && Object.fromEntries(
          Object.entries(ServerNames).map(
            ([name, cluster]) => [name, cluster && leadingTo(match, cluster)]
          )
        ),
      })
    )()
  ),
) => pipy({
  _plan: null,
  _sends: undefined,
  _serverNames: undefined,
  _target: undefined,
})

.import({
  __port: 'outbound',
  __protocol: 'outbound',
  __isEgress: 'outbound',
  __cert: 'outbound',
})

.pipeline()
.onStart(
  () => void (
    // Behind the routing this has been done already.
    _plan || (
      _plan = plans.get(__port),
      // What counts as egress gets no mesh mTLS, and goes through the egress gateway.
      _plan.egress && (
        __isEgress = true,
        __cert = _plan.cert
      )
    )
  )
)
.branch(
  () => _plan.any || __protocol === 'http', (
    $=>$
    // Only behind the routing are there messages; who calls is nobody's business outside the mesh.
    .handleMessageStart(
      msg => _plan.egress && (
        delete msg.head.headers.serviceidentity
      )
    )
    .chain()
  ),

  () => _plan.none, (
    // The stream's start must stay: without it the client's bytes would be echoed.
    $=>$.replaceData(() => new StreamEnd)
  ),

  (
    $=>$
    // Both look at the first bytes, and beside the stream: in it, the second would look at all that follows.
    .fork().to(
      $=>$
      .replaceData(
        data => _sends && (_sends !== 'tls' || _serverNames) ? undefined : data
      )
      .detectProtocol(
        protocol => _sends = kinds[protocol] || 'bytes'
      )
      .handleTLSClientHello(
        hello => _serverNames = hello.serverNames || []
      )
    )
    // Holds the stream back until one of its conditions holds.
    .branch(
      () => _sends === 'tls' && _serverNames && _plan.tls && (
        _target = _plan.ports ? _plan.ports[(_serverNames[0] || '').toLowerCase()] : __port
      ) && (
        __port = _target,
        true
      ), (
        $=>$.chain()
      ),

      () => _sends === 'http' && _plan.http, (
        $=>$
        .handleStreamStart(
          () => __protocol = 'http'
        )
        .chain(httpChain)
      ),

      () => _sends && (_sends !== 'tls' || _serverNames), (
        $=>$.replaceData(() => new StreamEnd)
      )
    )
  )
)

)()
