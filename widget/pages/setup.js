// Writes the line that a page needs, and applies what is set to the button of this page.
const form = document.querySelector("form");
const line = document.getElementById("line");
const server = new URL(".", location.href).href;
// Seen only where they are set on the line itself.
const UNSEEN = new Set(["hiddenOn", "open"]);

function write() {
  const settings = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim() || undefined]));
  const attributes = Object.entries(settings)
    .filter(([, value]) => value)
    .map(([name, value]) => ` data-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}="${escaped(value)}"`);
  line.value = `<script src="${server}widget.js"${attributes.join("")} defer></script>`;
  window.clinicAssistant?.set(Object.fromEntries(Object.entries(settings).filter(([name]) => !UNSEEN.has(name))));
}

function escaped(value) {
  return value.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;");
}

form.addEventListener("input", write);
form.addEventListener("submit", (event) => event.preventDefault());
// Once the button is there, whichever script came first.
document.addEventListener("DOMContentLoaded", () => setTimeout(write));
