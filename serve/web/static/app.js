// The page: frames go to the server over a WebSocket, one at a time; what comes back is drawn.

const LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];
const WIDTH = 640; // of the frames that are sent, in pixels
const MINUTE = 60_000;

const $ = (id) => document.getElementById(id);
const video = $("video"), picture = $("picture"), overlay = $("overlay"), timeline = $("timeline");
const grabber = document.createElement("canvas");
const shades = Object.fromEntries(LABELS.map((label) => [label, shadeOf(label)]));

let socket = null, waiting = false, pause = 500, lastSent = 0;
let current = null; // what is looked at: {kind: "moving"} or {kind: "picture", file}
let sent = null; // the frame whose answer is waited for: {blob, size}
let shown = { faces: [], blob: null, size: [1, 1] }; // the faces, and the picture that they were found in
const moments = []; // {time, means}

function shadeOf(label) {
  const probe = document.createElement("i");
  probe.className = label;
  document.body.append(probe);
  const shade = getComputedStyle(probe).getPropertyValue("--shade").trim();
  probe.remove();
  return shade;
}

function say(text) { $("status").textContent = text; }

// --- the connection ---------------------------------------------------------------------------------------------------

function connect() {
  const address = new URL("live", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  address.search = $("version").value ? `?version=${encodeURIComponent($("version").value)}` : "";
  const own = new WebSocket(address);
  socket = own;
  own.onopen = () => { pause = 500; waiting = false; say("connected"); };
  own.onmessage = (event) => {
    waiting = false;
    if (current?.kind === "moving") answer(JSON.parse(event.data), sent); // else it is late: the camera has been stopped
  };
  own.onclose = (event) => {
    if (own !== socket) return;
    say(event.reason || "connection lost; trying again");
    setTimeout(() => own === socket && connect(), pause);
    pause = Math.min(pause * 2, 5000);
  };
}

function reconnect() {
  const old = socket;
  socket = null;
  old?.close();
  connect();
}

// --- looking ----------------------------------------------------------------------------------------------------------

function look() {
  requestAnimationFrame(look);
  const live = current?.kind === "moving" && video.readyState >= 2 && !video.paused;
  if (!live || waiting || socket?.readyState !== WebSocket.OPEN) return;
  waiting = true;
  lastSent = performance.now();
  const scale = Math.min(1, WIDTH / video.videoWidth);
  grabber.width = Math.round(video.videoWidth * scale);
  grabber.height = Math.round(video.videoHeight * scale);
  grabber.getContext("2d").drawImage(video, 0, 0, grabber.width, grabber.height);
  grabber.toBlob((blob) => {
    sent = { blob, size: [grabber.width, grabber.height] };
    if (blob && socket?.readyState === WebSocket.OPEN) socket.send(blob); else waiting = false;
  }, "image/jpeg", 0.85);
}

function answer(told, seen) {
  if (told.error) { say(told.error); return; }
  Object.assign(shown, seen);
  const took = Math.round(performance.now() - lastSent);
  say(`${told.version} · ${told.faces.length} face${told.faces.length === 1 ? "" : "s"} · ${took} ms`);
  show(told.faces);
  remember(told.faces);
}

function show(faces) {
  shown.faces = faces;
  drawOverlay();
  $("faces").replaceChildren(...faces.map(card));
}

function card(face) {
  const made = document.createElement("article");
  made.className = "face";
  const title = document.createElement("h3");
  title.textContent = `${face.label} ${Math.round(face.confidence * 100)} %`;
  made.append(title, ...LABELS.map((label) => bar(label, face.probabilities[label])));
  return made;
}

function bar(label, share) {
  const row = document.createElement("div"), name = document.createElement("span");
  const gauge = document.createElement("progress"), value = document.createElement("span");
  row.className = `bar ${label}`;
  name.textContent = label;
  gauge.value = share;
  gauge.setAttribute("aria-label", label);
  value.textContent = `${Math.round(share * 100)} %`;
  row.append(name, gauge, value);
  return row;
}

function drawOverlay() {
  const stage = $("stage").getBoundingClientRect(), ratio = devicePixelRatio || 1;
  overlay.width = stage.width * ratio;
  overlay.height = stage.height * ratio;
  if (!current) return;
  const [width, height] = shown.size;
  const scale = Math.min(overlay.width / width, overlay.height / height);
  const left = (overlay.width - width * scale) / 2, top = (overlay.height - height * scale) / 2;
  const pen = overlay.getContext("2d");
  pen.lineWidth = 3 * ratio;
  pen.font = `${15 * ratio}px system-ui, sans-serif`;
  for (const face of shown.faces) {
    const [x, y, w, h] = face.box.map((value) => value * scale);
    const text = `${face.label} ${Math.round(face.confidence * 100)} %`;
    pen.strokeStyle = pen.fillStyle = shades[face.label];
    pen.strokeRect(left + x, top + y, w, h);
    const plate = 22 * ratio, above = top + y >= plate ? top + y - plate : top + y;
    pen.fillRect(left + x, above, pen.measureText(text).width + 12 * ratio, plate);
    pen.fillStyle = "#111";
    pen.fillText(text, left + x + 6 * ratio, above + 16 * ratio);
  }
}

// --- over time --------------------------------------------------------------------------------------------------------

function remember(faces) {
  const now = performance.now();
  const means = faces.length
    ? LABELS.map((label) => faces.reduce((sum, face) => sum + face.probabilities[label], 0) / faces.length) : null;
  moments.push({ time: now, means });
  while (moments.length && now - moments[0].time > MINUTE) moments.shift();
  drawTimeline(now);
}

function drawTimeline(now) {
  const ratio = devicePixelRatio || 1;
  timeline.width = timeline.clientWidth * ratio;
  timeline.height = timeline.clientHeight * ratio;
  const pen = timeline.getContext("2d");
  const x = (time) => timeline.width * (1 - (now - time) / MINUTE);
  moments.forEach((moment, index) => {
    if (!moment.means) return;
    const from = Math.min(x(moment.time), timeline.width - ratio); // so the newest shows
    const until = x(moments[index + 1]?.time ?? now) + 1;
    let below = timeline.height;
    moment.means.forEach((share, which) => {
      const height = share * timeline.height;
      pen.fillStyle = shades[LABELS[which]];
      pen.fillRect(from, below - height, Math.max(until - from, ratio), height);
      below -= height;
    });
  });
  timeline.dataset.moments = moments.length;
}

// --- what is looked at ------------------------------------------------------------------------------------------------

function stop() {
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  video.removeAttribute("src");
  if (picture.src) URL.revokeObjectURL(picture.src);
  picture.hidden = true;
  video.hidden = false;
  current = null;
  $("camera").textContent = "Start camera";
  $("invitation").hidden = false;
  show([]);
}

function forget() { if (socket?.readyState === WebSocket.OPEN) socket.send("reset"); }

async function toggleCamera() {
  if (video.srcObject) { stop(); return; }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480, facingMode: "user" } });
  } catch (error) {
    say(error.name === "NotAllowedError" ? "the browser did not allow the camera; change that beside the address"
      : `no camera: ${error.message || error.name}`);
    return;
  }
  stop(); // what may have been opened while the browser asked for the camera
  video.srcObject = stream;
  $("camera").textContent = "Stop camera";
  try { await start(); } catch (error) { if (video.srcObject === stream) say(`no camera: ${error.message}`); }
}

async function start() {
  $("invitation").hidden = true;
  current = { kind: "moving" };
  forget();
  await video.play();
}

async function open(file) {
  stop();
  if (file.type.startsWith("video/")) {
    video.src = URL.createObjectURL(file);
    try { await start(); } catch { stop(); say(`${file.name}: this browser can't play it`); }
    return;
  }
  $("invitation").hidden = true;
  video.hidden = true;
  picture.hidden = false;
  picture.src = URL.createObjectURL(file);
  await lookAt(file);
}

async function lookAt(file) {
  const own = current = { kind: "picture", file };
  lastSent = performance.now();
  const version = $("version").value ? `?version=${encodeURIComponent($("version").value)}` : "";
  const told = await ask(`api/picture${version}`, file, { "Content-Type": file.type || "image/png" });
  await picture.decode().catch(() => {});
  if (current !== own) return; // something else is looked at by now
  answer(told, { blob: file, size: [picture.naturalWidth, picture.naturalHeight] });
}

async function ask(address, body, headers = {}) {
  try {
    const reply = await fetch(address, { method: "POST", body, headers });
    const told = await reply.json();
    return reply.ok ? told : { error: told.detail };
  } catch (error) {
    return { error: `no answer from the server: ${error.message}` };
  }
}

// --- corrections ------------------------------------------------------------------------------------------------------

async function correct(label) {
  const face = shown.faces[0];
  if (!face || !shown.blob) { $("kept").textContent = "no face is seen"; return; }
  const [left, top, width, height] = face.box;
  const told = await ask(`api/corrections?${new URLSearchParams({ label, left, top, width, height })}`, shown.blob);
  $("kept").textContent = told.error ?? `kept as ${told.kept}`;
}

// --- beginning --------------------------------------------------------------------------------------------------------

async function begin() {
  $("legend").append(...LABELS.map((label) => {
    const entry = document.createElement("li");
    entry.className = label;
    entry.textContent = label;
    return entry;
  }));
  $("labels").append(...LABELS.map((label, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${index + 1} ${label}`;
    button.onclick = () => correct(label);
    return button;
  }));
  $("camera").onclick = toggleCamera;
  $("file").onchange = (event) => event.target.files[0] && open(event.target.files[0]);
  $("version").onchange = () => { reconnect(); if (current?.kind === "picture") lookAt(current.file); };
  const stage = $("stage");
  stage.ondragover = (event) => { event.preventDefault(); stage.classList.add("over"); };
  stage.ondragleave = () => stage.classList.remove("over");
  stage.ondrop = (event) => {
    event.preventDefault();
    stage.classList.remove("over");
    if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  };
  addEventListener("resize", drawOverlay);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return; // the browser's own keys, or one held
    const label = LABELS[Number(event.key) - 1];
    if (!$("correct").hidden && label && !event.target.closest("select, input")) correct(label);
  });
  const { champion, versions, corrections } = await (await fetch("api/versions")).json();
  $("version").append(...versions.map((name) => new Option(name === champion ? `${name} (champion)` : name, name, false, name === champion)));
  $("correct").hidden = !corrections;
  connect();
  look();
}

begin().catch((error) => say(`the page can't start: ${error.message}`));
