// What every view of the plane shares: its geometry, its grid, and arrows on it.

class PlaneView {
  constructor(host, panel, run) {
    Object.assign(this, { host, panel, run, width: 0, height: 0 });
  }

  // One scale for both axes, the limits' box in the middle, the rest of the stage filled.  The named
  // canvases fill the stage, the heat map the box.  Says whether anything is left to be laid out.
  fit(width, height, names) {
    if (width === this.width && height === this.height && this.ratio === pixelRatio()) return false;
    Object.assign(this, { width, height, ratio: pixelRatio(), stillKey: null });
    if (!width || !height) return false;
    const [lo, hi] = this.panel.limits;
    const room = { x: width - 2 * STAGE_PAD, y: height - 2 * STAGE_PAD };
    this.unit = Math.max(Math.min(room.x / (hi[0] - lo[0]), room.y / (hi[1] - lo[1])), 1e-6);
    this.origin = {
      x: width / 2 - (this.unit * (lo[0] + hi[0])) / 2,
      y: height / 2 + (this.unit * (lo[1] + hi[1])) / 2,
    };
    for (const name of names) fitCanvas(this.canvases[name], width, height);
    const [left, top] = this.toScreen(lo[0], hi[1]);
    Object.assign(this.canvases.heat.style, {
      left: `${left}px`, top: `${top}px`,
      width: `${this.unit * (hi[0] - lo[0])}px`, height: `${this.unit * (hi[1] - lo[1])}px`,
    });
    return true;
  }

  toScreen(x, y) {
    return [this.origin.x + this.unit * x, this.origin.y - this.unit * y];
  }

  toPlane(x, y) {
    return [(x - this.origin.x) / this.unit, (this.origin.y - y) / this.unit];
  }

  // Lines at round values over the whole stage, numbers along them, and the axes' names.
  drawGrid(g, palette) {
    const [left, top] = this.toPlane(0, 0);
    const [right, bottom] = this.toPlane(this.width, this.height);
    const ticks = niceTicks(left, right, Math.max(2, Math.min(this.width / 46, 16)));
    const step = ticks.length > 1 ? ticks[1] - ticks[0] : 1;
    const digits = step < 1 ? Math.ceil(-Math.log10(step)) : 0;
    g.font = `12px ${palette.font}`;
    g.lineWidth = 1;
    const line = (value, vertical) => {
      const [x, y] = this.toScreen(value, value).map((v) => Math.round(v) + 0.5);
      g.beginPath();
      g.strokeStyle = css(palette.rgb.text, value === 0 ? 0.2 : 0.09);
      if (vertical) g.moveTo(x, 0), g.lineTo(x, this.height);
      else g.moveTo(0, y), g.lineTo(this.width, y);
      g.stroke();
      return [x, y];
    };
    g.fillStyle = palette.css.faint;
    for (let v = Math.ceil(left / step) * step; v <= right; v += step) {
      const value = Math.abs(v) < step / 1e6 ? 0 : v;
      const [x] = line(value, true);
      g.textAlign = "center";
      g.textBaseline = "bottom";
      if (x > 44 && x < this.width - 34) g.fillText(fixed(value, digits), x, this.height - 4);
    }
    for (let v = Math.ceil(bottom / step) * step; v <= top; v += step) {
      const value = Math.abs(v) < step / 1e6 ? 0 : v;
      const [, y] = line(value, false);
      g.textAlign = "left";
      g.textBaseline = "middle";
      if (y > 26 && y < this.height - 22) g.fillText(fixed(value, digits), 6, y);
    }
    g.fillStyle = palette.css.muted;
    g.textAlign = "right";
    g.textBaseline = "bottom";
    g.fillText(this.panel.x_label, this.width - 8, this.height - 4);
    g.textAlign = "left";
    g.textBaseline = "top";
    g.fillText(this.panel.y_label, 6, 6);
  }

  // The path of a field's arrows between two frames, `reach` of the distance between them at most.
  traceArrows(g, field, frame, reach) {
    const [frames, rows, columns] = field.shape;
    const [lo, hi] = this.panel.limits;
    const { data } = field;
    const low = clamp(Math.floor(frame), 0, frames - 1);
    const high = Math.min(low + 1, frames - 1);
    const share = high > low ? frame - low : 0;
    const size = rows * columns * 2;
    const pitch = {
      x: (hi[0] - lo[0]) / Math.max(columns - 1, 1), y: (hi[1] - lo[1]) / Math.max(rows - 1, 1),
    };
    const longest = reach * this.unit * Math.min(pitch.x, pitch.y);
    const component = (i) => {
      const q = data[low * size + i];
      return ((q + share * (data[high * size + i] - q)) / 65535) * 2 - 1;
    };
    g.beginPath();
    for (let i = 0; i < rows * columns; i++) {
      const [x, y] = this.toScreen(
        lo[0] + (i % columns) * pitch.x, lo[1] + Math.floor(i / columns) * pitch.y);
      drawArrow(g, x, y, component(2 * i) * longest, -component(2 * i + 1) * longest);
    }
    g.lineCap = "round";
    g.lineJoin = "round";
  }
}

// An arrow centred on (x, y); nothing for one too short to read.
function drawArrow(g, x, y, dx, dy) {
  const length = Math.hypot(dx, dy);
  if (length < 1.5) return;
  const head = Math.min(5, 0.4 * length);
  const [ux, uy] = [dx / length, dy / length];
  const [ex, ey] = [x + dx / 2, y + dy / 2];
  g.moveTo(x - dx / 2, y - dy / 2);
  g.lineTo(ex, ey);
  g.moveTo(ex - head * (ux + 0.6 * uy), ey - head * (uy - 0.6 * ux));
  g.lineTo(ex, ey);
  g.lineTo(ex - head * (ux - 0.6 * uy), ey - head * (uy + 0.6 * ux));
}
