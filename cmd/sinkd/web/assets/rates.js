// The charts: what comes in and what is written on one axis, seconds behind
// below it.
'use strict';
(() => {
  const { on, group } = window.sinkd;
  const $ = id => document.getElementById(id);
  const kept = 900;
  const data = [[], [], [], []];
  let charts = [];

  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = n => n >= 1e6 ? +(n / 1e6).toFixed(1) + 'M' : n >= 1e3 ? +(n / 1e3).toFixed(1) + 'k' : String(+n.toFixed(n < 1 ? 2 : 1));
  const clock = t => new Date(t * 1000).toTimeString().slice(0, 8);

  function options(box, height, series, unit) {
    const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 }, font: '12px system-ui, sans-serif' };
    return {
      width: Math.max(box.clientWidth, 100), height, padding: [null, 28, null, null], cursor: { sync: { key: 'sinkd' }, drag: { x: false, y: false } },
      scales: { y: { range: (u, min, max) => [0, Math.max(1, max * 1.1 || 1)] } },
      series: [{ label: 'at', value: (u, v) => v == null ? '\u2013' : clock(v) }, ...series.map(s => ({
        width: 2, points: { show: false }, value: (u, v) => v == null ? '\u2013' : unit(v), ...s,
      }))],
      axes: [{ ...axis, size: 28, space: 80, incrs: [1, 5, 10, 15, 30, 60, 120, 300, 600], values: (u, ts) => ts.map(t => ts[1] - ts[0] < 60 ? clock(t) : clock(t).slice(0, 5)) },
        { ...axis, size: 56, values: (u, vs) => vs.map(short) }],
    };
  }
  function make() {
    charts.forEach(c => c.destroy());
    const rates = options($('rates'), 170, [
      { label: 'comes in', stroke: colour('--commit-c'), dash: [6, 4] }, { label: 'is written', stroke: colour('--copy-c') },
    ], v => group(v) + ' records/s');
    const behind = options($('behind'), 100, [{ label: 'seconds behind', stroke: colour('--bad'), fill: colour('--bad-back') }], v => v.toFixed(1) + ' s');
    charts = [new uPlot(rates, [data[0], data[1], data[2]], $('rates')), new uPlot(behind, [data[0], data[3]], $('behind'))];
  }
  on('samples', news => {
    for (const s of news) {
      if (data[0].length && s.t / 1000 <= data[0][data[0].length - 1]) data.forEach(d => d.length = 0); // told anew
      data[0].push(s.t / 1000); data[1].push(s.in); data[2].push(s.out); data[3].push(s.behind);
    }
    if (data[0].length > kept) data.forEach(d => d.splice(0, d.length - kept));
    if (data[0].length < 2 || !$('rates').clientWidth) return;
    if (!charts.length) make();
    charts[0].setData([data[0], data[1], data[2]]);
    charts[1].setData([data[0], data[3]]);
  });
  window.addEventListener('resize', () => charts.forEach((c, i) => c.setSize({ width: Math.max($(i ? 'behind' : 'rates').clientWidth, 100), height: i ? 100 : 170 })));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { if (charts.length) make(); });
})();
