// A card of the rail: a number for each frame and each noise level, as a heat map whose horizontal
// axis is the scrubber's.

class LevelsCard {
  constructor(entry, run) {
    Object.assign(this, { entry, run });
    this.values = run.array(entry.values);
    this.axis = new TimeAxis(run.clock);
    this.chart = makeChart(`${entry.label}, by noise level, along the run`);
    this.node = makeCard("levels",
      el("header", { class: "dvz-card-head" }, el("h4", { class: "dvz-card-title", title: entry.label }, entry.label)),
      this.chart.box);
  }

  resize() {
    this.ready = fitChart(this.chart);
    this.base = null;
  }

  // The whole map, row by row of noise levels; a frame's column reaches back to the one before it.
  drawBase(palette) {
    const { width, height } = this.chart;
    const canvas = document.createElement("canvas");
    const g = fitCanvas(canvas, width, height);
    g.font = `${CHART_FONT}px ${palette.font}`;
    const { ticks, bar } = this.entry;
    const gutter = Math.max(...ticks.map(([, text]) => g.measureText(text).width), 12);
    this.area = { left: gutter + 10, right: width - 9, top: 6, bottom: height - 22 };
    const { left, right, top, bottom } = this.area;
    const [frames, levels] = this.values.shape;
    const X = (u) => left + u * (right - left);
    const tall = (bottom - top) / levels;
    const { data } = this.values;
    g.fillStyle = css(palette.rgb.text, 0.05);
    g.fillRect(left, top, right - left, bottom - top);
    const ratio = pixelRatio();
    const snap = (v) => Math.round(v * ratio) / ratio;
    for (let k = 1; k < frames; k++) {
      const [from, to] = [snap(X(this.axis.position(k - 1))), snap(X(this.axis.position(k)))];
      for (let b = 0; b < levels; b++) {
        const q = data[k * levels + b];
        if (q === ERROR_BLANK) continue;
        const c = Math.round((q / (ERROR_BLANK - 1)) * 255);
        g.fillStyle = css([0, 1, 2].map((j) => palette.cividis[3 * c + j]));
        const [y0, y1] = [snap(bottom - (b + 1) * tall), snap(bottom - b * tall)];
        g.fillRect(from, y0, Math.max(to - from, 1 / ratio), y1 - y0);
      }
    }
    g.textAlign = "right";
    g.textBaseline = "middle";
    for (const [place, text] of ticks) {
      const y = bottom - place * (bottom - top);
      strokeSegment(g, left - 4, y, left, y, palette.css.muted);
      g.fillStyle = palette.css.muted;
      g.fillText(text, left - 6, clamp(y, top + 6, bottom - 6));
    }
    this.drawBar(g, palette, bar);
    return canvas;
  }

  // What the colours mean: a bar with its two ends, below the map.
  drawBar(g, palette, [low, high]) {
    const { left, right } = this.area;
    const y = this.chart.height - 12;
    g.textBaseline = "middle";
    g.fillStyle = palette.css.muted;
    g.textAlign = "right";
    const width = 70;
    g.fillText(high, right, y);
    const end = right - g.measureText(high).width - 6;
    for (let i = 0; i < width; i++) {
      const c = Math.round((255 * i) / (width - 1));
      g.fillStyle = css([0, 1, 2].map((j) => palette.cividis[3 * c + j]));
      g.fillRect(end - width + i, y - 4, 1.5, 8);
    }
    g.fillStyle = palette.css.muted;
    g.fillText(low, end - width - 6, y);
    g.textAlign = "left";
    g.fillText(this.entry.axis, left, y);
  }

  draw(frame, state) {
    if (!this.ready) return;
    const { palette } = state;
    const g = paintBase(this, palette);
    const { left, right, top, bottom } = this.area;
    const x = left + this.axis.position(frame) * (right - left);
    strokeSegment(g, x, top - 3, x, bottom + 3, palette.css.primary, 2);
  }
}
