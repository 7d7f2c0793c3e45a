// Draws strokes and pictures on a canvas.

import getStroke from "../vendor/perfect-freehand.js";

export const SIDE = 560; // width and height of the board in its own units

// The area that a stroke covers, as a Path2D.
export function outline(stroke) {
  const points = getStroke(stroke.points, {
    size: stroke.size,
    thinning: stroke.pen ? 0.45 : 0.12,
    smoothing: 0.6,
    streamline: stroke.pen ? 0.35 : 0.45,
    simulatePressure: !stroke.pen,
    last: true,
  });
  const path = new Path2D();
  if (!points.length) return path;
  path.moveTo(...points[0]);
  points.forEach(([x, y], place) => {
    const [nextX, nextY] = points[(place + 1) % points.length];
    path.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  });
  path.closePath();
  return path;
}

// Turns a test picture, light on black, into ink on transparent, so that the board draws it in its own colour.
export function inkOf(bitmap) {
  if (!bitmap) return null;
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const levels = pen.getImageData(0, 0, bitmap.width, bitmap.height);
  for (let at = 0; at < levels.data.length; at += 4) {
    levels.data[at + 3] = levels.data[at];
    levels.data.fill(0, at, at + 3);
  }
  pen.putImageData(levels, 0, 0);
  return canvas;
}

export const CONTRARY = { "#fff": "#000", "#000": "#fff" };

// The background for a picture that was brought: black around a dark picture and below light ink on transparent, else
// white.
export function groundOf(bitmap) {
  if (!bitmap) return null;
  const side = 32;
  const pen = new OffscreenCanvas(side, side).getContext("2d");
  pen.drawImage(bitmap, 0, 0, side, side);
  const { data } = pen.getImageData(0, 0, side, side);
  let [light, cover] = [0, 0];
  for (let at = 0; at < data.length; at += 4) {
    light += ((data[at] + data[at + 1] + data[at + 2]) / 3) * data[at + 3];
    cover += data[at + 3];
  }
  const dark = light < 127.5 * cover;
  const transparent = cover < 0.5 * 255 * side * side;
  return dark === transparent ? "#fff" : "#000";
}

export function fillBelow(pen, colour) {
  pen.globalCompositeOperation = "destination-over";
  pen.fillStyle = colour;
  pen.fillRect(0, 0, SIDE, SIDE);
  pen.globalCompositeOperation = "source-over";
}

export function paintPicture(pen, { bitmap, ink }, colour) {
  pen.imageSmoothingQuality = "high";
  if (ink) {
    const layer = new OffscreenCanvas(SIDE, SIDE);
    const brush = layer.getContext("2d");
    brush.imageSmoothingQuality = "high";
    brush.drawImage(ink, 0, 0, SIDE, SIDE);
    brush.globalCompositeOperation = "source-in";
    brush.fillStyle = colour;
    brush.fillRect(0, 0, SIDE, SIDE);
    pen.drawImage(layer, 0, 0);
    return;
  }
  const scale = SIDE / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  pen.drawImage(bitmap, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
}
