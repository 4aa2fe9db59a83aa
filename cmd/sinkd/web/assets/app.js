// The page: it reads the stream of events and shows each part. All text goes in
// as text, never as markup. batches.js and rates.js draw, by window.sinkd.
'use strict';
(() => {
  const $ = id => document.getElementById(id);
  const handlers = {}, early = {}; // early: what came before its script
  // kept tells that the database keeps tables of ours.
  const sinkd = window.sinkd = { on, el, fill, say, ago, span, group, counted, time, size, kept: true };
  let token = sessionStorage.getItem('sinkd-token') || '';
  let served = 0; // the server's clock less ours
  let heard = 0; // when the last event came
  let pause = 500;

  function on(name, f) {
    (handlers[name] = handlers[name] || []).push(f);
    for (const data of early[name] || []) f(data);
    delete early[name];
  }

  // el makes an element: el('td', {class: 'num'}, 'text', child, ...).
  function el(tag, attrs, ...children) {
    const e = document.createElement(tag);
    for (const k in attrs || {}) if (attrs[k] != null && attrs[k] !== false) e.setAttribute(k, attrs[k]);
    e.append(...children.filter(c => c != null));
    return e;
  }
  function say(node, text) { if (node.textContent !== text) node.textContent = text; }

  // fill makes a table's or list's children those of the rows, and touches only
  // what has changed: what a person has opened stays open.
  function fill(parent, rows, make) {
    const old = new Map();
    for (const c of parent.children) old.set(c.dataset.key, c);
    rows.forEach((row, i) => {
      const key = JSON.stringify(row);
      let node = old.get(key);
      if (node) old.delete(key);
      else { node = make(row); node.dataset.key = key; }
      if (parent.children[i] !== node) parent.insertBefore(node, parent.children[i] || null);
    });
    while (parent.children.length > rows.length) parent.lastElementChild.remove();
  }

  const now = () => Date.now() + served;
  function span(s) {
    s = Math.max(0, s);
    if (s < 60) return Math.floor(s) + ' s';
    if (s < 3600) return Math.floor(s / 60) + ' min';
    if (s < 172800) return Math.floor(s / 3600) + ' h ' + Math.floor(s / 60) % 60 + ' min';
    return Math.floor(s / 86400) + ' days';
  }
  function ago(at) { return span((now() - Date.parse(at)) / 1000) + ' ago'; }
  function group(n) { return Math.round(n).toLocaleString('en').replace(/,/g, '\u2009'); }
  function counted(n, noun) { return group(n) + ' ' + noun + (n === 1 ? '' : 's'); }
  function time(at) { return new Date(at).toLocaleString('sv'); }
  function size(n) {
    for (const u of ['B', 'KiB', 'MiB', 'GiB']) { if (n < 1024 || u === 'GiB') return (n < 10 && u !== 'B' ? n.toFixed(1) : Math.round(n)) + ' ' + u; n /= 1024; }
  }

  // ---- 1: the sentence

  const marks = { good: '\u2713', warn: '!', bad: '\u2715' };
  let key = '';
  on('now', n => {
    served = Date.parse(n.now) - Date.now();
    sentence(n.headline.tone, n.headline.text, n.headline.detail || '');
    if (n.headline.key !== key) { key = n.headline.key; say($('announce'), n.headline.text); }
    say($('pipeline'), 'pipeline ' + n.pipeline);
    document.title = n.headline.text.split(',')[0].split(';')[0] + ' \u00b7 ' + n.pipeline + ' \u00b7 sinkd';
    const l = n.ledger, stale = $('stale');
    sinkd.kept = l.kept;
    stale.hidden = !l.error;
    if (l.error) {
      say(stale, 'PostgreSQL does not answer this page since ' + time(l.failing_since) + '. ' +
        (l.asked_at ? 'What it said ' + ago(l.asked_at) + ' is shown. ' : 'It has said nothing yet. ') + l.error);
    }
  });
  function sentence(tone, text, detail) {
    $('state').dataset.tone = tone;
    say($('tone'), marks[tone] || '');
    say($('sentence'), text);
    say($('detail'), detail);
    $('detail').hidden = !detail;
  }

  // ---- 2: needs a person

  on('person', cards => {
    $('person').hidden = cards.length === 0;
    say($('person-h'), 'Needs a person (' + cards.length + ')');
    fill($('cards'), cards, c => el('li', null,
      el('h3', null, c.title),
      el('p', { class: 'what' }, c.what),
      el('p', { class: 'quiet small' }, c.where + (c.count > 1 ? ' \u00b7 ' + group(c.count) + ' times' : '') +
        (Date.parse(c.first_seen) > 0 ? ' \u00b7 first seen ' + time(c.first_seen) : '') +
        (c.sqlstate ? ' \u00b7 SQLSTATE ' + c.sqlstate : '')),
      c.sample ? el('p', { class: 'small' }, 'Sample: ', el('span', { class: 'mono' }, c.sample)) : null,
      ...c.commands.map(x => el('pre', { tabindex: '0', role: 'group', 'aria-label': 'Command to copy' }, x))));
  });

  // ---- 3: what the charts say, in words

  on('now', n => {
    say($('rates-say'), group(n.in) + ' records/s come in, ' + group(n.out) + ' records/s are written; ' +
      (n.away ? 'as last known, ' : '') + (n.lag_records ? counted(n.lag_records, 'record') + ' behind' : 'nothing is behind') + (n.left ? ', ' + n.left : '') + '.');
  });

  // ---- 5: partitions

  const first = 24;
  let rest = [];
  on('partitions', p => {
    say($('parts-say'), counted(p.total, 'partition') + (p.halted ? ', ' + p.halted + ' halted' : '') +
      (p.behind ? ', ' + p.behind + ' behind' : ', none behind') + '; the worst first.');
    fill($('parts').tBodies[0], p.worst.slice(0, first), partition);
    rest = p.worst.slice(first);
    const more = $('more-parts');
    more.hidden = rest.length === 0;
    say(more.querySelector('summary'), 'The other ' + group(rest.length) +
      (p.total > p.worst.length ? ' of the worst ' + group(p.worst.length) : ''));
    if (more.open) fill(more.querySelector('tbody'), rest, partition);
    painted(p.total);
  });
  $('more-parts').addEventListener('toggle', e => { if (e.target.open) fill(e.target.querySelector('tbody'), rest, partition); });

  function partition(p) {
    const length = p.end - p.log_start, done = length > 0 ? Math.min(1, Math.max(0, (p.position - p.log_start) / length)) : 1;
    const bar = el('i');
    bar.style.setProperty('--at', (done * 100).toFixed(1) + '%');
    return el('tr', null,
      el('th', { scope: 'row' }, p.topic + '[' + p.partition + ']'),
      el('td', { class: 'state-' + p.state, title: p.why }, p.state + (p.why ? ': ' + p.why.replaceAll('_', ' ') : '')),
      el('td', { class: 'log' }, el('span', { class: 'strip', role: 'img', 'aria-label': Math.floor(done * 100) + ' % of the log, ' + p.log_start + ' to ' + p.end }, bar)),
      el('td', { class: 'num' }, group(p.lag_records)),
      el('td', { class: 'num' }, p.lag_seconds == null ? '\u2013' : p.lag_seconds < 60 ? p.lag_seconds.toFixed(1) + ' s' : span(p.lag_seconds)),
      el('td', { class: 'num wide' }, group(p.position)),
      el('td', { class: 'num wide' }, group(p.end)),
      el('td', { class: 'mono', title: p.since ? 'since ' + time(p.since) : null }, p.owner || '\u2013'));
  }

  // painted notes when the first partitions could be seen.
  let seen = false;
  function painted(n) {
    if (seen || n === 0) return;
    seen = true;
    requestAnimationFrame(() => setTimeout(() => performance.mark('sinkd-painted'), 0));
  }

  // ---- 6: dead letters

  on('letters', l => {
    const count = l.count >= l.limit ? 'More than ' + group(l.limit) + ' dead letters' : counted(l.count, 'dead letter');
    say($('letters-say'), !sinkd.kept ? 'None are kept: a bad record stops its partition.' : l.count === 0 ? 'None.' : count +
      (l.newest.length < l.count ? '; the newest ' + l.newest.length + ' are here, all of them by sinkd dead-letters list' : '') + '.' +
      (l.payloads ? '' : ' Their bytes are shown only where SINKD_HTTP_TOKEN is set.'));
    fill($('letters'), l.newest, letter);
  });
  function letter(l) {
    const what = el('span', null, el('b', null, l.topic + '[' + l.partition + '] ' + l.offset), ' \u00b7 ' + l.reason +
      (l.sqlstate ? ' \u00b7 SQLSTATE ' + l.sqlstate : ''), el('span', { class: 'quiet small' }, ' \u00b7 ' + l.stage + ', ' + time(l.failed_at)));
    if (!l.value) return el('li', null, what);
    return el('li', null, el('details', null, el('summary', null, what),
      bytes('Value', l.value), l.key ? bytes('Key', l.key) : null,
      l.headers && l.headers.length ? bytes('Headers', { form: 'json', text: JSON.stringify(l.headers), bytes: 0 }) : null));
  }
  function bytes(name, p) {
    if (p.form === 'null') return el('p', { class: 'small' }, name + ': null');
    return el('div', null, el('p', { class: 'quiet small' }, name + ', ' + p.form + (p.bytes ? ', ' + group(p.bytes) + ' bytes' : '') + (p.cut ? ', the beginning' : '')),
      el('pre', { tabindex: '0', role: 'group', 'aria-label': name }, p.text));
  }

  // ---- 7: lanes and replicas

  let lastSessions = null;
  on('now', n => {
    fill($('lanes').tBodies[0], (n.lanes || []).map(l => [l.lane, l.state, span((now() - Date.parse(l.since)) / 1000), l.queued_records, l.partitions]), l =>
      el('tr', null, el('th', { scope: 'row' }, String(l[0])), el('td', null, l[1]), el('td', null, l[2]),
        el('td', { class: 'num' }, group(l[3])), el('td', { class: 'num' }, group(l[4]))));
    say($('memory'), 'Records in flight hold ' + size(n.inflight_bytes) + ' of ' + size(n.memory_limit_bytes) + '.' +
      (sinkd.kept ? '' : ' Of other replicas nothing is known here; sinkd status asks the consumer group.'));
    say($('guarantee'), 'Guarantee: ' + n.guarantee + '.');
    fill($('limits'), n.limits || [], x => el('li', null, x));
    sinkd.version = n.version;
    if (lastSessions) sessions(lastSessions);
  });
  on('sessions', sessions);
  function sessions(s) {
    lastSessions = s;
    fill($('replicas').tBodies[0], s.replicas.map(r => [r.writer, r.here, r.partitions, r.sessions, r.seen_at ? ago(r.seen_at) : '\u2013']), r =>
      el('tr', null, el('th', { scope: 'row' }, el('span', { class: 'mono' }, r[0]), r[1] ? ' (this one)' : ''),
        el('td', { class: 'num' }, String(r[2])), el('td', { class: 'num' }, String(r[3])), el('td', null, r[4])));
    $('sessions').parentElement.hidden = !(s.sessions || []).length;
    fill($('sessions').tBodies[0], (s.sessions || []).map(x => [x.pid, x.writer, x.state, span((now() - Date.parse(x.since)) / 1000), x.waits_for, x.blocked_by, x.lane]), x =>
      el('tr', null, el('th', { scope: 'row' }, String(x[0])), el('td', { class: 'mono' }, x[1]), el('td', null, x[6] == null ? '\u2013' : String(x[6])), el('td', null, x[2]), el('td', null, x[3]),
        el('td', null, x[4] || '\u2013'), el('td', { class: x[5] ? 'state-halted' : null }, x[5] ? x[5].join('; ') : '\u2013')));
    say($('versions'), 'sinkd ' + (sinkd.version || '') + (s.server ? ' \u00b7 PostgreSQL ' + s.server : '') +
      (s.kafka_group ? ' \u00b7 consumer group ' + s.kafka_group : '') + (s.cluster_id ? ' \u00b7 Kafka cluster ' + s.cluster_id : '') +
      ' \u00b7 times are of ' + Intl.DateTimeFormat().resolvedOptions().timeZone);
  }

  // ---- 8: configuration

  on('config', c => fill($('settings').tBodies[0], c.settings || [], s =>
    el('tr', null, el('th', { scope: 'row', class: 'mono' }, s.name), el('td', { class: 'mono' }, s.value))));

  // ---- the stream

  function show(what) {
    $('ask').hidden = what !== 'ask';
    $('page').hidden = $('foot').hidden = what !== 'page';
  }
  function dispatch(name, data) {
    if (!handlers[name]) (early[name] = early[name] || []).push(data);
    for (const f of handlers[name] || []) f(data);
  }
  function receive(block) {
    let name = '', data = '';
    for (const line of block.split('\n')) {
      if (line.startsWith('event: ')) name = line.slice(7);
      if (line.startsWith('data: ')) data += line.slice(6);
    }
    if (name && data) dispatch(name, JSON.parse(data));
  }
  async function stream() {
    const answer = await fetch('/api/events', { headers: token ? { Authorization: 'Bearer ' + token } : {}, cache: 'no-store' });
    if (answer.status === 401) return ask();
    if (!answer.ok) throw new Error('the service answers ' + answer.status);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Error('the service has ended the stream');
      show('page');
      heard = Date.now();
      pause = 500;
      say($('link'), 'live');
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop();
      blocks.forEach(receive);
    }
  }
  async function run() {
    for (;;) {
      try { if (await stream() === 'asked') return; } catch (e) { lost(e); }
      await new Promise(done => setTimeout(done, pause));
      pause = Math.min(2 * pause, 5000);
    }
  }
  function lost() {
    const since = heard ? ' since ' + time(heard) : '';
    say($('link'), 'not connected');
    show('page');
    sentence('bad', 'sinkd does not answer' + since, heard ? 'What it said last is shown; it is asked again.' : 'It is asked again.');
    if (key !== 'lost') { key = 'lost'; say($('announce'), 'sinkd does not answer'); }
  }
  function ask() {
    show('ask');
    say($('link'), 'token wanted');
    if (token) say($('ask-error'), 'That is not the token.');
    sessionStorage.removeItem('sinkd-token');
    $('token').focus();
    return 'asked';
  }
  $('ask').addEventListener('submit', e => {
    e.preventDefault();
    token = $('token').value.trim();
    sessionStorage.setItem('sinkd-token', token);
    $('token').value = '';
    say($('ask-error'), '');
    run();
  });
  if (!token && document.documentElement.dataset.token === 'wanted') ask(); else run();
})();
