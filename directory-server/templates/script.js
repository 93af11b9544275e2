// Makes the pages nicer where scripts run; nothing needs it.
"use strict";

// Passwords can be shown.
for (const field of document.querySelectorAll('input[type="password"]')) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "show";
  button.textContent = "Show";
  button.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-controls", field.id);
  button.addEventListener("click", () => {
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    button.textContent = shown ? "Show" : "Hide";
    button.setAttribute("aria-pressed", String(!shown));
  });
  field.after(button);
}

// How good a new password is, while it is typed; the directory is asked, and decides.
const strengthForm = document.querySelector("form[data-strength]");
if (strengthForm) {
  const field = strengthForm.querySelector('input[name="password"]');
  const status = strengthForm.querySelector("#strength");
  const token = strengthForm.querySelector("[data-strength-token]").dataset.strengthToken;
  let waiting;
  let newest = 0;
  const show = (answer) => {
    const meter = document.createElement("meter");
    Object.assign(meter, { min: 0, max: 4, low: 2, high: 3, optimum: 4, value: answer.score });
    meter.setAttribute("aria-label", "Strength");
    status.replaceChildren(meter, ` Withstands guessing for ${answer.withstands}.`);
    for (const rule of strengthForm.querySelectorAll("[data-rule]")) {
      const unmet = answer.unmet.includes(rule.dataset.rule);
      rule.className = unmet ? "unmet" : "met";
      rule.querySelector("strong")?.remove();
      if (unmet) {
        const word = document.createElement("strong");
        word.textContent = " (not yet)";
        rule.append(word);
      }
    }
  };
  const ask = async () => {
    const mine = ++newest;
    const body = new URLSearchParams({ form_token: token, password: field.value });
    const answer = await fetch(strengthForm.dataset.strength, { method: "POST", body });
    if (answer.ok && mine === newest) show(await answer.json());
  };
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => ask().catch(() => {}), 400);
  });
}

// A private key never leaves this computer; a file can be dropped.
for (const field of document.querySelectorAll("[data-public-key]")) {
  const form = field.form;
  const problem = form.querySelector("#key-problem");
  const isPrivate = () => /PRIVATE KEY|PuTTY-User-Key-File|openssh-key-v1/.test(field.value);
  const look = () => {
    const refused = isPrivate();
    problem.hidden = !refused;
    problem.textContent = refused
      ? "This is a PRIVATE key. It was not sent. Take the file that ends in .pub." : "";
    if (refused) field.value = "";
    return refused;
  };
  field.addEventListener("input", look);
  field.addEventListener("dragover", (event) => event.preventDefault());
  field.addEventListener("drop", async (event) => {
    const file = event.dataTransfer.files[0];
    if (!file) return;
    event.preventDefault();
    field.value = await file.slice(0, 16384).text();
    look();
  });
  form.addEventListener("submit", (event) => {
    if (look()) event.preventDefault();
  });
}
