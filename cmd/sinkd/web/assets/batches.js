// The bars of the last batches, and what one of them was.
'use strict';
(() => {
  const sinkd = window.sinkd, { on, el, say, group, counted, time, size } = sinkd;
  const $ = id => document.getElementById(id);
  const stages = ['wait', 'build', 'copy', 'merge', 'commit'];
  const kept = 300;
  const byID = new Map();
  let batches = [], chosen = null;

  const others = { whole: 'all of it, where the stages are not known', fault: 'below a bar: dead letters, or an SQLSTATE' };
  $('legend').append(...[...stages, 'whole', 'fault'].map(s => el('li', null, el('i', { class: 'c-' + s }), others[s] || s)));

  const chart = [$('legend'), $('bars'), $('bars-how')];
  chart.forEach(e => { e.hidden = true; });
  on('batches', news => {
    chart.forEach(e => { e.hidden = false; });
    for (const b of news) if (b.stages || !byID.has(b.id)) byID.set(b.id, b);
    batches = [...byID.values()].sort((a, b) => Date.parse(a.committed_at) - Date.parse(b.committed_at)).slice(-kept);
    if (byID.size > 2 * kept) { byID.clear(); for (const b of batches) byID.set(b.id, b); }
    words();
    draw();
  });

  let bound = '';
  on('now', n => { if (bound !== (n.bound_by || '')) { bound = n.bound_by || ''; if (batches.length) words(); } });

  // words say what the bars show.
  function words() {
    const sums = {};
    let all = 0, records = 0;
    for (const b of batches.slice(-50)) {
      records += b.records;
      for (const s of stages) if (b.stages && s !== 'wait') { sums[s] = (sums[s] || 0) + b.stages[s]; all += b.stages[s]; }
    }
    const most = Object.keys(sums).sort((a, b) => sums[b] - sums[a])[0];
    say($('batches-say'), group(batches.length) + (batches.length === 1 ? ' batch' : ' batches') +
      (sinkd.kept ? '' : ' of this process, which no ledger keeps') + '; of the last ' + Math.min(50, batches.length) + ', ' + group(records / Math.min(50, batches.length)) + ' records each on average' +
      (most ? '; ' + Math.round(100 * sums[most] / all) + ' % of the work was ' + most + (bound ? ', so it is bound by ' + bound : '') : '') + '.');
    const bars = $('bars');
    bars.setAttribute('aria-valuemax', batches.length || 1);
    place();
  }

  function parts(b) { return b.stages ? stages.map(s => [s, b.stages[s]]) : [['whole', b.total_ms]]; }
  function busy(b) { return b.stages ? b.stages.build + b.stages.copy + b.stages.merge + b.stages.commit : b.total_ms; }

  // scale leaves one slow batch, or a long wait, from flattening all others.
  function scale() {
    const sorted = batches.map(busy).sort((a, b) => a - b);
    return Math.max(1, 1.5 * (sorted[Math.floor(sorted.length * .97)] || 0));
  }

  function draw() {
    const canvas = $('bars-canvas'), box = $('bars'), ratio = window.devicePixelRatio || 1;
    const w = box.clientWidth, h = box.clientHeight - 1;
    if (!w) return;
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) { canvas.width = Math.round(w * ratio); canvas.height = Math.round(h * ratio); }
    const style = getComputedStyle(document.documentElement), colour = n => style.getPropertyValue(n).trim();
    const c = canvas.getContext('2d');
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, w, h);
    const top = 16, foot = 8, room = h - top - foot, max = scale(), each = w / kept, gap = each >= 3 ? 1 : 0;
    c.fillStyle = colour('--quiet');
    c.font = '12px system-ui, sans-serif';
    c.fillText(max < 1000 ? Math.round(max) + ' ms' : (max / 1000).toFixed(1) + ' s', 0, 11);
    c.fillStyle = colour('--line');
    c.fillRect(0, top, w, 1);
    batches.forEach((b, i) => {
      const x = w - (batches.length - i) * each;
      if (b.id === chosen) { c.fillStyle = colour('--soft'); c.fillRect(x - 1, top, Math.max(each, 2) + 2, room + foot); }
      let y = top + room;
      for (const [s, ms] of parts(b).reverse()) {
        const high = Math.min(ms / max * room, y - top);
        c.fillStyle = colour('--' + s + '-c');
        c.fillRect(x, y - high, each - gap, high);
        y -= high;
      }
      if (b.dead || b.sqlstate) { c.fillStyle = colour('--bad'); c.fillRect(x, top + room + 2, Math.max(each - gap, 2), foot - 3); }
      if (b.id === chosen) { c.strokeStyle = colour('--ink'); c.lineWidth = 1; c.strokeRect(x - .5, top + .5, Math.max(each - gap, 2) + 1, room + foot - 1); }
    });
  }

  function choose(i) {
    if (!batches.length) return;
    chosen = batches[Math.max(0, Math.min(batches.length - 1, i))].id;
    place();
    detail(batches.find(b => b.id === chosen));
    draw();
  }
  function place() {
    const i = batches.findIndex(b => b.id === chosen), b = batches[i];
    const bars = $('bars');
    bars.setAttribute('aria-valuenow', b ? i + 1 : batches.length || 1);
    bars.setAttribute('aria-valuetext', b ? time(b.committed_at) + ', ' + b.records + ' records, ' + Math.round(busy(b)) + ' ms' : 'no batch is chosen');
  }
  const ms = x => x < 10 ? x.toFixed(1) + ' ms' : x < 10000 ? Math.round(x) + ' ms' : (x / 1000).toFixed(1) + ' s';
  function detail(b) {
    const rows = [['Written by', b.writer], ['Records', group(b.records) + ', ' + size(b.bytes)],
      ['Became', counted(b.rows, 'row') + ', ' + group(b.skipped) + ' skipped, ' + counted(b.dead, 'dead letter')],
      ['Time', b.stages ? stages.map(s => s + ' ' + ms(b.stages[s])).join(', ') : ms(b.total_ms) + '; the stages are known to the process that wrote it'],
      ['SQLSTATE', b.sqlstate || 'none' + (b.stages ? '' : ' known')],
      ['Ranges', (b.first_ranges || []).map(r => r.topic + '[' + r.partition + '] ' + r.from + '\u2013' + (r.until - 1)).join(', ') +
        (b.ranges > (b.first_ranges || []).length ? ' and ' + (b.ranges - b.first_ranges.length) + ' more' : '')],
      ['Batch', b.id]];
    const list = el('dl');
    for (const [name, value] of rows) list.append(el('dt', null, name), el('dd', null, value));
    $('batch').replaceChildren(el('h3', null, (b.kind === 'skip' ? 'Skipped at ' : 'Committed at ') + time(b.committed_at)), list);
    $('batch').hidden = false;
  }

  $('bars').addEventListener('click', e => {
    const box = $('bars').getBoundingClientRect(), each = box.width / kept;
    choose(batches.length - 1 - Math.floor((box.right - e.clientX) / each));
  });
  $('bars').addEventListener('keydown', e => {
    const i = batches.findIndex(b => b.id === chosen), at = i < 0 ? batches.length : i;
    const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageDown: at - 10, PageUp: at + 10, Home: 0, End: batches.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    choose(to);
  });
  window.addEventListener('resize', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
})();
