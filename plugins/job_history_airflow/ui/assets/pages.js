// Everything works without this script too: each form can be sent, each link followed.

// The UI shows the pages in a frame that may not navigate its parent window; a link made in that window may.
addEventListener("click", (event) => {
  const link = event.target.closest("a[data-airflow-link]");
  if (!link || window === window.parent) return;
  event.preventDefault();
  const outside = parent.document.createElement("a");
  outside.href = link.href;
  if (event.ctrlKey || event.metaKey) outside.target = "_blank";
  parent.document.body.append(outside);
  outside.click();
  outside.remove();
});

// Show only the fields of the chosen kind.
for (const select of document.querySelectorAll("select[data-chooses]")) {
  const show = () => {
    for (const group of document.querySelectorAll(`[data-kind-of="${select.dataset.chooses}"]`)) {
      group.hidden = group.dataset.kind !== select.value;
    }
  };
  show();
  select.addEventListener("change", show);
}

// Add a row for a redaction rule. Empty rows are not saved.
document.querySelector("[data-adds-rule]")?.addEventListener("click", () => {
  const last = [...document.querySelectorAll("[data-rule]")].at(-1);
  const row = last.cloneNode(true);
  const number = Number(last.dataset.rule) + 1;
  row.dataset.rule = number;
  for (const part of [row, ...row.querySelectorAll("[name]")]) {
    if (part.name) part.name = part.name.replace(/[0-9]+/, number);
    part.setAttribute("aria-label", part.getAttribute("aria-label").replace(/[0-9]+/, number));
  }
  row.querySelector("input").value = "";
  last.after(row);
  row.querySelector("input").focus();
});

// What is wrong with a field is known until the field is edited.
addEventListener("input", (event) => {
  const input = event.target;
  const group = input.closest('fieldset[aria-describedby$="-error"]');
  if (group) {
    document.getElementById(group.getAttribute("aria-describedby"))?.remove();
    group.removeAttribute("aria-describedby");
  }
  if (!input.hasAttribute("aria-invalid")) return;
  input.removeAttribute("aria-invalid");
  const described = (input.getAttribute("aria-describedby") ?? "").split(" ");
  for (const id of described.filter((id) => id.endsWith("-error"))) document.getElementById(id)?.remove();
  const rest = described.filter((id) => id && !id.endsWith("-error")).join(" ");
  if (rest) input.setAttribute("aria-describedby", rest);
  else input.removeAttribute("aria-describedby");
});

// Show the answer to a button in a part of the page.
addEventListener("submit", async (event) => {
  const button = event.submitter;
  if (!button?.dataset.showsIn) return;
  event.preventDefault();
  const place = document.getElementById(button.dataset.showsIn);
  place.innerHTML = '<p class="notice" role="status">A moment ...</p>';
  button.disabled = true;
  try {
    const answer = await fetch(button.formAction, {
      method: "POST",
      body: new URLSearchParams(new FormData(event.target)),
      headers: { accept: "application/json" },
    });
    if (answer.ok) place.innerHTML = await answer.text();
    else {
      place.innerHTML = '<p class="notice bad" role="alert"></p>';
      place.firstChild.textContent = (await answer.json()).detail;
    }
  } catch (error) {
    place.innerHTML = '<p class="notice bad" role="alert"></p>';
    place.firstChild.textContent = `The API server does not answer: ${error.message}`;
  } finally {
    button.disabled = false;
    place.scrollIntoView({ block: "nearest" });
  }
});

// Start a run of one window through Airflow's own API, which checks rights and writes its audit log.
addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.starts) return;
  event.preventDefault();
  const status = document.getElementById("started");
  status.textContent = "A moment ...";
  const conf = {
    accounts: [Number(form.dataset.account)],
    window_start: form.dataset.start,
    window_end: form.dataset.end,
    mode: form.elements.mode.value,
  };
  const answer = await fetch(form.dataset.starts, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ logical_date: null, conf }),
  });
  const run = await answer.json();
  if (!answer.ok) {
    status.textContent = `Airflow refused: ${JSON.stringify(run.detail)}`;
    return;
  }
  const link = document.createElement("a");
  link.href = form.dataset.runs + encodeURIComponent(run.dag_run_id);
  link.dataset.airflowLink = "";
  link.textContent = run.dag_run_id;
  status.replaceChildren("Started: ", link);
});

// On a narrow screen, begin with the newest hour, which is the one that people look for.
for (const box of document.querySelectorAll(".scrolls")) {
  const newest = [...box.querySelectorAll("tbody tr:first-child td:not(.fact)")].at(-1);
  if (newest) box.scrollLeft = newest.offsetLeft + newest.offsetWidth - box.clientWidth;
}
