// Where pictures come from besides drawing: files that are chosen, dropped or pasted, and the camera.

import { texts } from "./words.js";

const find = (id) => document.getElementById(id);
const [input, lens, view, take, notice, pick] = ["file", "lens", "lens-view", "lens-take", "lens-notice", "lens-file"].map(find);

// `bring(files)` is called with the pictures that the reader brings.
export function listen(bring) {
  input.addEventListener("change", () => {
    if (input.files.length) bring([...input.files]);
    input.value = "";
  });
  const files = (data) => [...(data?.files ?? [])];
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("paste", (event) => {
    const pasted = files(event.clipboardData);
    if (!pasted.length) return;
    event.preventDefault();
    bring(pasted);
  });
  const over = (is) => document.body.classList.toggle("over", is);
  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over(false);
  });
  document.addEventListener("drop", (event) => {
    over(false);
    if (!holdsFiles(event)) return;
    event.preventDefault();
    const dropped = files(event.dataTransfer);
    if (dropped.length) bring(dropped);
  });
  camera(bring);
}

function camera(bring) {
  let stream = null;
  const close = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = view.srcObject = null;
  };
  find("camera").addEventListener("click", async () => {
    notice.hidden = pick.hidden = true;
    view.hidden = false;
    take.disabled = true;
    lens.showModal();
    try {
      if (!navigator.mediaDevices) throw new Error(texts.insecure_camera);
      const found = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } }).catch(({ name }) => {
        throw new Error(name === "NotAllowedError" ? texts.blocked_camera : texts.no_camera_advice);
      });
      if (!lens.open) return found.getTracks().forEach((track) => track.stop());
      stream = view.srcObject = found;
      await view.play();
      take.disabled = false;
    } catch (error) {
      view.hidden = true;
      notice.querySelector("h3").textContent = texts.no_camera;
      notice.querySelector("p").textContent = error.message;
      notice.hidden = pick.hidden = false;
    }
  });
  take.addEventListener("click", async () => {
    const shot = new OffscreenCanvas(view.videoWidth, view.videoHeight);
    shot.getContext("2d").drawImage(view, 0, 0);
    const picture = await shot.convertToBlob({ type: "image/jpeg", quality: 0.92 });
    lens.close();
    bring([picture]);
  });
  find("lens-close").addEventListener("click", () => lens.close());
  pick.addEventListener("click", () => {
    lens.close();
    input.click();
  });
  lens.addEventListener("close", close);
}
