/*
 * What the module `fsm-egress.js` logs of what it sees, and where to.
 *
 * The config tells it by the key `Observe`:
 *   Every        whether each connection is logged, or only what `Shadow` refuses and the sidecar lets through
 *   Shadow       policies that are asked, and not obeyed
 *   Headers      the names of headers that are logged
 *   Sample       the share of connections that is looked at
 *   Endpoint     where batches are posted to; standard output where the key is absent
 */
((
  config = pipy.solve('config.js'),
  observe = config.Observe,
  endpoint = observe.Endpoint,

  // --- batches -----------------------------------------------------------------------------------------

  // Characters of lines that may wait behind a batch; what is more is left out, and counted.
  room = 1048576,
  lines = [],
  taken = 0,
  lost = 0,

  write = record => (
    (
      line = JSON.stringify(lost ? Object.assign(record, { lost }) : record),
    ) => (
      taken + line.length > room ? lost++ : (
        lost = 0,
        taken += line.length,
        lines.push(line)
      )
    )
  )(),

  // Nothing says whether standard output is read. What is not read stays in memory, in pieces of 16 kB that
  // are counted as the scripts' own. Of none the last count would stand, so that one is kept.
  piece = null,
  most = 128,
  unread = 0,
  count = () => (
    piece = new Data('.'),
    stats.sum(['pipy_chunk_count']).then(
      found => unread = found.pipy_chunk_count.withLabels('Script').value
    )
  ),

  // A batch waits until it can be sent, and is there until it has been.
  batch = null,
  next = 0,
  isFree = () => endpoint ? Date.now() >= next : unread < most,
  due = () => (
    batch || lines.length > 0 && (batch = lines, lines = [], taken = 0),
    endpoint || count(),
    batch && isFree() ? batch.join('\n') + '\n' : ''
  ),
  sent = () => batch = null,

  // One that the endpoint calls wrong is not posted twice.
  answered = status => (
    status >= 200 && status < 300 || status >= 400 && status < 500 && status !== 408 && status !== 429 ? (
      status >= 300 && (lost += batch.length),
      sent()
    ) : (
      next = Date.now() + 5000
    )
  ),

  // --- the policies that are asked ---------------------------------------------------------------------

  last = value => value?.join ? value[value.length - 1] : value,
  within = (ranges, address) => ranges.some(range => range.contains(address)),
  masks = texts => texts && texts.map(text => new Netmask(text)),

  // They are read once. A verdict is that of the first route, host or match that fits.
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
  shadow = observe.Shadow && {
    unseen: {
      ports: new Set(observe.Shadow.Unseen.Ports),
      ranges: masks(observe.Shadow.Unseen.Ranges),
      included: masks(observe.Shadow.Unseen.Included),
    },
    passes: observe.Shadow.Passes,
    ports: new Map(Object.entries(observe.Shadow.Ports).map(([port, listed]) => [port, listed.map(policyOf)])),
  },

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

  // --- records -----------------------------------------------------------------------------------------

  // What is known of a connection, in the words of the records that logs are replayed from.
  about = ({ destination, port }, sends, more) => Object.assign(
    {
      time: Date.now(),
      identity: config.Spec.ServiceIdentity,
      destination,
      port,
      sends,
    },
    more
  ),
) => ({
  endpoint,
  due,
  sent,
  answered,

  // Whether a connection is among those that are looked at.
  chosen: () => Math.random() < observe.Sample,

  stream: (where, sends, serverName) => ({ record: about(where, sends, { server_name: serverName }) }),
  request: (where, { method, path, headers }) => (
    (
      kept = observe.Headers.filter(name => headers[name] !== undefined).map(name => [name, last(headers[name])]),
      record = about(where, 'http', { host: last(headers.host), method, path }),
    ) => (
      kept.length > 0 && (record.headers = Object.fromEntries(kept)),
      { record, sent: headers }
    )
  )(),

  tell: ({ record, sent }, verdict) => invoke(
    () => (
      record.verdict = verdict,
      shadow && (record.shadow_verdict = asked(record, sent)),
      (observe.Every || verdict !== 'DENIED' && record.shadow_verdict === 'DENIED') && write(record)
    ),
    () => lost++
  ),
  leftOut: () => lost++,
}))()
