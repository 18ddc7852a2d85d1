/*
 * Makes the sidecar enforce what the policies decide, where FSM's own modules cannot, and looks on for the logs.
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
 *
 * Where the config has the key `Observe`, what is seen is told to `fsm-egress-observing.js`; a match has the verdict
 * on what it lets through by the same key.
 */
((
  config = pipy.solve('config.js'),
  observer = config?.Observe && pipy.solve('modules/fsm-egress-observing.js'),

  httpChain = config?.Chains?.['outbound-http'],

  // --- what clients send first -------------------------------------------------------------------------

  kinds = { HTTP: 'http', HTTP2: 'http' },

  // A client that has said nothing after so many seconds waits for its server, which is neither HTTP nor TLS.
  patience = 2,

  // What has not shown what it is within so many bytes is neither; a ClientHello fills no more, in any records.
  most = 65535,

  // The sizes of a record of TLS and of the message that one or several make up; none, and too much, for others.
  recordSize = ([major, minor, high, low]) => major === 3 && minor <= 4 ? high * 256 + low : 0,
  messageSize = ([kind, high, middle, low]) => kind === 1 ? (high * 256 + middle) * 256 + low : most,
  isWhole = ([_, major, minor, high, low, kind, a, b, c], size) => (
    size === 5 + recordSize([major, minor, high, low]) && size === 9 + messageSize([kind, a, b, c])
  ),
  other = () => (
    _sends = 'bytes',
    ['rest', most, new Data]
  ),

  // --- what is enforced --------------------------------------------------------------------------------

  // The sidecar's own certificate, where it has one, stands for those that FSM issues.
  own = config?.Certificate,
  certificateOf = cert => cert?.FsmIssued && own?.CertChain && own?.PrivateKey ? own : cert,

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

  // --- what is told of a connection ----------------------------------------------------------------------

  // What the stock modules made of a stream; of a request; and what it comes to, once something comes back.
  outcome = () => (
    !__target ? 'DENIED' :
    !__port?.Observe || __cluster?.name === original() && !__port.TcpServiceRouteRules?.AllowedEgressTraffic ?
    'PASSTHROUGH' : __port.Observe
  ),
  original = () => _told.destination + ':' + _told.port,
  outcomeOfRequest = () => __route && __target ? __port.Observe : 'DENIED',
  answered = () => _told.verdict || (
    _told.verdict = outcome(),
    _told.waiting.splice(0).forEach(request => observer.tell(request, _told.verdict)),
    _sends !== 'http' && observer.tell(
      observer.stream(_told, _sends || (_first === undefined ? 'nothing' : 'bytes'), _serverNames?.[0]),
      _told.verdict
    )
  ),
  ended = () => _request ? observer.tell(_request, outcomeOfRequest()) : (
    answered(),
    _sends === 'http' && _told.requests === 0 && (
      _told.requests = 1,
      observer.tell(observer.stream(_told, 'bytes'), _told.verdict)
    )
  ),

  // A request that is decoded beside its stream. Of those that FSM's modules route, it alone has the Host as sent.
  decoded = head => invoke(
    () => (
      __protocol !== 'http' && _told.verdict ? observer.tell(observer.request(_told, head), _told.verdict) :
      _told.waiting.length < 100 ? _told.waiting.push(observer.request(_told, head)) : observer.leftOut(),
      _told.requests++,
      (head.method === 'CONNECT' || head.headers.upgrade) && (_told.follows = false)
    ),
    () => observer.leftOut()
  ),
  routed = head => invoke(
    () => (
      _request = _told.waiting.shift() || observer.request(_told, head),
      _told.requests++
    ),
    () => observer.leftOut()
  ),
  rewritten = Boolean(config?.Spec?.FeatureFlags?.EnableAutoDefaultRoute),
) => pipy({
  _plan: null,
  _first: undefined,
  _size: 0,
  _hello: null,
  _sends: undefined,
  _serverNames: undefined,
  _target: undefined,
  _gone: false,
  _silence: null,
  _whole: false,
  _looks: false,
  _told: null,
  _http2: false,
  _request: null,
  _batch: '',
  _status: 0,
})

.import(
  Object.assign(
    {
      __port: 'outbound',
      __protocol: 'outbound',
      __isEgress: 'outbound',
      __cert: 'outbound',
    },
    observer ? {
      __cluster: 'outbound-tcp-routing',
      __route: 'outbound-http-routing',
      __target: 'connect-tcp',
    } : {}
  )
)

.pipeline()
.onStart(
  () => void (
    // Behind the routing this has been done already.
    _plan ? (_looks = false) : (
      _plan = plans.get(__port),
      // What counts as egress gets no mesh mTLS, and goes through the egress gateway.
      _plan.egress && (
        __isEgress = true,
        __cert = _plan.cert
      ),
      observer && observer.chosen() && (
        _told = {
          destination: __inbound.destinationAddress,
          port: __inbound.destinationPort,
          verdict: '',
          requests: 0,
          waiting: [],
          follows: false,
        }
      ),
      _looks = Boolean(_told) || !_plan.any && !_plan.none && __protocol !== 'http'
    )
  )
)
.onEnd(
  () => void (
    // It would keep all that is known of the connection.
    _silence && _silence.cancel(),
    _told && ended()
  )
)

// Looks at the first bytes, beside the stream: in it, what looks at them would look at all that follows.
.branch(
  () => _looks, (
    $=>$.fork().to(
      $=>$
      .replaceData(
        data => _sends ? (_told?.follows ? data : undefined) : (
          _first === undefined && data.size > 0 && (_first = new Data(data).shift(1).toArray()[0]),
          _first === 22 && _size === 0 && data.size > 9 && (
            _whole = isWhole(new Data(data).shift(9).toArray(), data.size)
          ),
          _size += data.size,
          _size > most ? void (_sends = 'bytes') : data
        )
      )
      .branch(
        // As nearly all come, and at less cost.
        () => _whole, (
          $=>$
          .handleTLSClientHello(
            hello => _serverNames = hello.serverNames || []
          )
          .handleData(
            () => _sends = _serverNames && _serverNames.length < 2 ? 'tls' : 'bytes'
          )
        ),

        () => _first === 22, (
          $=>$
          // A ClientHello as one record, however many it came in: what follows reads no other.
          .deframe({
            type: kind => kind === 22 ? ['size', 4, []] : other(),
            size: sizes => recordSize(sizes) > 0 ? ['record', recordSize(sizes), new Data] : other(),
            record: content => (
              (
                hello = (_hello || (_hello = new Data)).push(content),
                size = hello.size < 4 ? 0 : 4 + messageSize(new Data(hello).shift(4).toArray()),
              ) => (
                size > most ? other() :
                hello.size < 4 || hello.size < size ? 'type' :
                [new Data([22, 3, 1, Math.floor(size / 256), size % 256]).push(hello.shift(size)), 'rest']
              )
            )(),
            rest: () => ['rest', most, new Data],
          })
          .handleTLSClientHello(
            hello => _serverNames = hello.serverNames || []
          )
          .handleData(
            () => _sends = _serverNames && _serverNames.length < 2 ? 'tls' : 'bytes'
          )
        ),

        () => _first !== undefined, (
          $=>$
          .detectProtocol(
            protocol => (
              _sends = kinds[protocol] || 'bytes',
              _http2 = protocol === 'HTTP2',
              _told && (_told.follows = _sends === 'http' && (__protocol === 'http' ? rewritten : !_plan.http))
            )
          )
          .branch(
            () => _told?.follows && _http2, (
              $=>$
              .demuxHTTP({ connectionWindowSize: '1g', streamWindowSize: '1g' }).to(
                $=>$
                .handleMessageStart(msg => decoded(msg.head))
                .replaceData()
                .replaceMessage(new Message({ status: 204 }))
              )
            ),
            () => _told?.follows, (
              $=>$
              .decodeHTTPRequest()
              .handleMessageStart(msg => decoded(msg.head))
            ),
            () => _sends, (
              $=>$.replaceData()
            )
          )
        )
      )
    )
  ), (
    $=>$
  )
)

.branch(
  () => _plan.any || __protocol === 'http', (
    $=>$
    // Only behind the routing are there messages; who calls is nobody's business outside the mesh.
    .handleMessageStart(
      msg => (
        _plan.egress && (
          delete msg.head.headers.serviceidentity
        ),
        _told && routed(msg.head)
      )
    )
    .chain()
    .handleMessageStart(
      () => _request && (
        observer.tell(_request, outcomeOfRequest()),
        _request = null
      )
    )
  ),

  () => _plan.none, (
    // The stream's start must stay: without it the client's bytes would be echoed.
    $=>$.replaceData(() => new StreamEnd)
  ),

  (
    $=>$
    // Of a client that says nothing, the end.
    .insert(
      () => (_silence = new Timeout(patience)).wait().then(
        () => _first === undefined ? new StreamEnd : undefined
      ).catch(
        () => undefined
      )
    )
    .handleStreamEnd(
      () => _gone = true
    )
    // Holds the stream back until one of its conditions holds.
    .branch(
      () => _sends === 'tls' && _plan.tls && (
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

      () => _sends || _gone, (
        $=>$.replaceData(() => new StreamEnd)
      )
    )
  )
)

.branch(
  Boolean(observer), (
    $=>$
    .handleData(
      data => _told && data.size > 0 && answered()
    )
    // A target that cannot be reached is given up before the client has said anything, perhaps.
    .handleStreamEnd(
      () => void (
        _told && (_first === undefined ? new Timeout(0.5).wait().then(answered) : answered())
      )
    )
  )
)

.branch(
  Boolean(observer?.endpoint), (
    $=>$
    .task('1s')
    .onStart(
      () => (
        _batch = observer.due(),
        _batch ? new Message(
          {
            method: 'POST',
            path: observer.endpoint.Path,
            headers: { host: observer.endpoint.Host, 'content-type': 'application/x-ndjson' },
          },
          _batch
        ) : new StreamEnd
      )
    )
    .branch(
      () => _batch, (
        $=>$
        .encodeHTTPRequest()
        .connect(
          observer?.endpoint?.Address, { connectTimeout: 5, readTimeout: 5, writeTimeout: 5, idleTimeout: 5 }
        )
        .replaceData(
          data => (_size += data.size) > most ? new StreamEnd : data
        )
        .decodeHTTPResponse()
        .replaceMessageStart(
          msg => (
            _status = msg.head.status,
            new StreamEnd
          )
        )
        .handleStreamEnd(
          () => _batch && (
            _batch = '',
            observer.answered(_status)
          )
        )
      ), (
        $=>$
      )
    )
  ),

  Boolean(observer), (
    $=>$
    .task('1s')
    .onStart(
      () => (
        _batch = observer.due(),
        _batch ? (observer.sent(), [new Data(_batch), new StreamEnd]) : new StreamEnd
      )
    )
    .tee('-', { shared: true })
  )
)

)()
