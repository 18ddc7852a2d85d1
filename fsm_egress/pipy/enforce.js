/*
 * Makes the sidecar enforce what the policies decide, where FSM's own modules cannot, and logs what it sees.
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
 * The config tells it what to log by the key `Observe`; where it is absent, nothing is:
 *   Every        whether each connection is logged, or only what `Shadow` refuses and the sidecar lets through
 *   Shadow       policies that are asked, and not obeyed
 *   Headers      the names of headers that are logged
 *   Sample       the share of connections that is looked at
 *   Endpoint     where batches are posted to; standard output where the key is absent
 * A match has the verdict on what it lets through, by the same key.
 */
((
  config = pipy.solve('config.js'),

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

  // --- what is logged ----------------------------------------------------------------------------------

  observe = config?.Observe,
  endpoint = observe?.Endpoint,
  output = observe && !endpoint && new logging.TextLogger('fsm-egress').toFile('-'),

  // What may wait for the endpoint, or go to standard output in a second; what is more is left out, and counted.
  room = 1048576,
  lines = [],
  taken = 0,
  second = 0,
  lost = 0,

  write = record => (
    (
      line = JSON.stringify(lost ? Object.assign(record, { lost }) : record),
      now = endpoint ? 0 : Math.floor(Date.now() / 1000),
    ) => (
      now !== second && (second = now, taken = 0),
      taken + line.length > room ? lost++ : (
        lost = 0,
        taken += line.length,
        endpoint ? lines.push(line) : output.log(line)
      )
    )
  )(),

  // A batch is posted until it is taken, one after the other; one that the endpoint calls wrong is not sent twice.
  batch = null,
  next = 0,
  settled = status => (
    status >= 200 && status < 300 || status >= 400 && status < 500 && status !== 408 && status !== 429 ? (
      status >= 300 && (lost += batch.length),
      batch = null
    ) : (
      next = Date.now() + 5000
    )
  ),

  // The policies that are asked, read once. A verdict is that of the first route, host or match that fits.
  within = (ranges, address) => ranges.some(range => range.contains(address)),
  masks = texts => texts && texts.map(text => new Netmask(text)),
  routeOf = ({ Path, Methods, Headers, Allowed }) => (
    (
      path = Path && new RegExp(Path),
      headers = Headers && Object.entries(Headers).map(([name, text]) => [name, new RegExp(text)]),
    ) => ({
      allowed: Allowed,
      takes: (method, target, sent) => (
        Methods.includes(method) &&
        (!path || path.test(target)) &&
        (!headers || headers.every(([name, pattern]) => pattern.test(last(sent[name]) || '')))
      ),
    })
  )(),
  policyOf = ({ Ranges, Verdict, Bytes, TLS, ServerNames, HTTP, Hosts, Otherwise }) => ({
    ranges: masks(Ranges),
    verdict: Verdict,
    bytes: Bytes,
    tls: TLS,
    names: ServerNames && new Set(ServerNames),
    http: HTTP,
    hosts: Hosts && new Map(Object.entries(Hosts).map(([host, routes]) => [host, routes.map(routeOf)])),
    otherwise: Otherwise,
  }),
  shadow = observe?.Shadow && {
    unseen: {
      ports: new Set(observe.Shadow.Unseen.Ports),
      ranges: masks(observe.Shadow.Unseen.Ranges),
      included: masks(observe.Shadow.Unseen.Included),
    },
    passes: observe.Shadow.Passes,
    ports: new Map(Object.entries(observe.Shadow.Ports).map(([port, listed]) => [port, listed.map(policyOf)])),
  },
  last = value => value?.join ? value[value.length - 1] : value,

  asked = (record, sent) => (
    (
      { destination, port } = record,
      { unseen, passes, ports } = shadow,
      listed = ports.get(port.toString()) || [],
      policy =
        listed.find(({ ranges }) => ranges && within(ranges, destination)) || listed.find(({ ranges }) => !ranges),
      routes =
        policy?.hosts &&
        (policy.hosts.get((record.host || '').toLowerCase()) || policy.hosts.get(policy.otherwise)),
    ) => (
      unseen.ports.has(port) ||
      within(unseen.ranges, destination) ||
      unseen.included.length > 0 && !within(unseen.included, destination)
    ) ? 'PASSTHROUGH' : (
      !policy ? passes ? 'PASSTHROUGH' : 'DENIED' : (
        record.sends === 'tls' ? policy.tls || policy.names?.has?.((record.server_name || '').toLowerCase()) :
        record.sends === 'http' ? policy.http || routes?.find?.(
          route => route.takes(record.method, record.path, sent)
        )?.allowed :
        policy.bytes
      ) ? policy.verdict : 'DENIED'
    )
  )(),

  // What is known of a connection, in the words of the records that logs are replayed from.
  about = (sends, more) => Object.assign(
    {
      time: Date.now(),
      identity: config.Spec.ServiceIdentity,
      destination: _told.destination,
      port: _told.port,
      sends,
    },
    more
  ),
  aboutRequest = ({ method, path, headers }) => (
    (
      kept = observe.Headers.filter(name => headers[name] !== undefined).map(name => [name, last(headers[name])]),
      record = about('http', { host: last(headers.host), method, path }),
    ) => (
      kept.length > 0 && (record.headers = Object.fromEntries(kept)),
      { record, sent: headers }
    )
  )(),

  tell = ({ record, sent }, verdict) => invoke(
    () => (
      record.verdict = verdict,
      shadow && (record.shadow_verdict = asked(record, sent)),
      (observe.Every || verdict !== 'DENIED' && record.shadow_verdict === 'DENIED') && write(record)
    ),
    () => lost++
  ),

  // --- the course of a connection ----------------------------------------------------------------------

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
    _told.waiting.splice(0).forEach(request => tell(request, _told.verdict)),
    _sends !== 'http' && tell(
      { record: about(_sends || (_first === undefined ? 'nothing' : 'bytes'), { server_name: _serverNames?.[0] }) },
      _told.verdict
    )
  ),
  ended = () => _request ? tell(_request, outcomeOfRequest()) : (
    answered(),
    _sends === 'http' && _told.requests === 0 && (
      _told.requests = 1,
      tell({ record: about('bytes') }, _told.verdict)
    )
  ),

  // A request that is decoded beside its stream. Of those that FSM's modules route, it alone has the Host as sent.
  decoded = head => invoke(
    () => (
      __protocol !== 'http' && _told.verdict ? tell(aboutRequest(head), _told.verdict) :
      _told.waiting.length < 100 ? _told.waiting.push(aboutRequest(head)) : lost++,
      _told.requests++,
      (head.method === 'CONNECT' || head.headers.upgrade) && (_told.follows = false)
    ),
    () => lost++
  ),
  routed = head => invoke(
    () => (
      _request = _told.waiting.shift() || aboutRequest(head),
      _told.requests++
    ),
    () => lost++
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
  _posts: false,
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
    observe ? {
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
      observe && Math.random() < observe.Sample && (
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
        tell(_request, outcomeOfRequest()),
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
  Boolean(observe), (
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
  Boolean(endpoint), (
    $=>$
    .task('1s')
    .onStart(
      () => (
        batch || lines.length > 0 && (batch = lines, lines = [], taken = 0),
        _posts = batch && Date.now() >= next,
        _posts ? new Message(
          {
            method: 'POST',
            path: endpoint.Path,
            headers: { host: endpoint.Host, 'content-type': 'application/x-ndjson' },
          },
          batch.join('\n') + '\n'
        ) : new StreamEnd
      )
    )
    .branch(
      () => _posts, (
        $=>$
        .encodeHTTPRequest()
        .connect(
          endpoint?.Address, { connectTimeout: 5, readTimeout: 5, writeTimeout: 5, idleTimeout: 5 }
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
          () => _posts && (
            _posts = false,
            settled(_status)
          )
        )
      ), (
        $=>$
      )
    )
  )
)

)()
