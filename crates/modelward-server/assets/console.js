// The console without scripts is whole; this adds local time, copying, the keyboard, completion and the live feed.
"use strict";
(() => {
  const all = (query, from = document) => Array.from(from.querySelectorAll(query));
  const one = (query, from = document) => from.querySelector(query);

  // Times: local, with the zone; distances follow the clock.
  const distance = (at) => {
    const seconds = Math.round((at - Date.now()) / 1000);
    const span = Math.abs(seconds);
    const say = (count, unit) => (seconds > 0 ? `in ${count} ${unit}` : `${count} ${unit} ago`);
    if (span < 5) return "now";
    if (span < 90) return say(span, "s");
    if (span < 5400) return say(Math.round(span / 60), "min");
    if (span < 129600) return say(Math.round(span / 3600), "h");
    return say(Math.round(span / 86400), "days");
  };
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const write = (time) => {
    const at = Date.parse(time.dateTime);
    if (Number.isNaN(at)) return;
    const form = time.dataset.form;
    if (form === "distance") time.textContent = distance(at);
    else if (form === "clock") time.textContent = clock.format(at);
    else {
      time.textContent = `${day.format(at)} `;
      const small = document.createElement("small");
      small.textContent = distance(at);
      time.append(small);
    }
  };
  const still = document.documentElement.dataset.still !== undefined;
  if (!still) {
    all("time[data-form]").forEach(write);
    setInterval(() => all("time[data-form]").forEach(write), 15000);
  }

  // Copying: a click on an id or a command puts all of it on the clipboard.
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-copy]");
    if (!target || !navigator.clipboard) return;
    event.preventDefault();
    navigator.clipboard.writeText(target.dataset.copy).then(() => {
      target.classList.add("copied");
      setTimeout(() => target.classList.remove("copied"), 1200);
    });
  });

  // Keyboard: j and k walk the rows, Enter opens, / goes to the first field, p pauses the feed.
  const rows = () => all("tbody tr[data-href]");
  let current = -1;
  const walk = (step) => {
    const list = rows();
    if (list.length === 0) return;
    current = Math.max(0, Math.min(list.length - 1, current + step));
    list.forEach((row, index) => row.classList.toggle("on", index === current));
    list[current].scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const chosen = one("tbody tr.on[data-href]");
    if (event.key === "j") walk(1);
    else if (event.key === "k") walk(-1);
    else if (event.key === "Enter" && chosen && !event.target.closest("a, button")) location.href = chosen.dataset.href;
    else if (event.key === "p" && one("[data-pause]")) one("[data-pause]").click();
    else if (event.key === "/") {
      const field = one("main input:not([type=hidden]):not([type=checkbox]), main select");
      if (!field) return;
      event.preventDefault();
      field.focus();
      if (field.select) field.select();
    }
  });
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-href]");
    if (!row || event.target.closest("a, button, input, code, summary") || String(getSelection()) !== "") return;
    location.href = row.dataset.href;
  });

  // Filters apply as soon as one is chosen.
  all("form.filters select, form.filters input[type=checkbox]").forEach((field) =>
    field.addEventListener("change", () => field.form.requestSubmit()));

  // A form whose answer takes a while shows how far it is, and is not sent twice.
  all("form[data-run]").forEach((form) => {
    if (!window.EventSource) return;
    const button = one("button", form);
    const live = one("[data-live]", form);
    const bar = one("progress", live);
    const words = one("span", live);
    const result = one("[data-result]");
    const count = new Intl.NumberFormat("en");
    let source = null;
    const rest = (text) => {
      if (source) source.close();
      source = null;
      button.disabled = false;
      bar.hidden = true;
      words.textContent = text;
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (source) return;
      const asked = new URLSearchParams(new FormData(form));
      button.disabled = true;
      live.hidden = false;
      bar.hidden = false;
      bar.removeAttribute("value");
      words.textContent = "collecting";
      source = new EventSource(`${form.dataset.run}?${asked}`);
      source.addEventListener("progress", ({ data }) => {
        const [done, of] = data.split(" ").map(Number);
        if (of === 0) return;
        bar.max = of;
        bar.value = done;
        words.textContent = `${count.format(done)} of ${count.format(of)}`;
      });
      source.addEventListener("done", ({ data }) => {
        result.innerHTML = data;
        history.replaceState(null, "", `?${asked}`);
        rest("");
      });
      source.addEventListener("failed", ({ data }) => rest(data));
      // Whatever refused the stream itself says why on the page.
      source.onerror = () => {
        rest("");
        form.submit();
      };
    });
    addEventListener("pagehide", () => rest(""));
  });

  // Passkeys: the challenge of the server goes to the device, the answer of the device into the form. Without scripts, or
  // in a browser that knows no passkeys, these forms stay hidden.
  all("form[data-passkey]").forEach((form) => {
    const kind = form.dataset.passkey;
    const known = window.PublicKeyCredential;
    const parse = known && (kind === "create" ? known.parseCreationOptionsFromJSON : known.parseRequestOptionsFromJSON);
    if (!parse) return;
    const [button, problem] = [one("button", form), one("[role=alert]", form)];
    const field = (name) => one(`[name=${name}]`, form);
    const reasons = {
      NotAllowedError: "Nothing was confirmed: it was cancelled, or it took too long.",
      InvalidStateError: "This device holds a passkey of yours already.",
      SecurityError: "Passkeys cannot be used at this address.",
    };
    const begin = async () => {
      const headers = {};
      if (field("csrf")) headers["mw-form-token"] = field("csrf").value;
      let body;
      if (form.dataset.sends) {
        headers["content-type"] = "application/json";
        body = JSON.stringify(Object.fromEntries(form.dataset.sends.split(" ").map((name) => [name, field(name).value])));
      }
      const answer = await fetch(form.dataset.begin, { method: "POST", headers, body });
      const said = await answer.json();
      if (answer.ok) return parse.call(known, said.options.publicKey);
      throw new Error([said.error.message, said.error.hint].filter(Boolean).join("; "));
    };
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      problem.hidden = true;
      try {
        const credential = await navigator.credentials[kind]({ publicKey: await begin() });
        field("credential").value = JSON.stringify(credential);
        form.submit();
      } catch (error) {
        problem.textContent = reasons[error.name] ?? error.message;
        problem.hidden = false;
        button.disabled = false;
      }
    });
  });

  // Completion of the question, part by part.
  const ask = one("input[data-words]");
  if (ask) {
    const words = all("option", document.getElementById(ask.dataset.words)).map((option) => option.value);
    const list = document.createElement("datalist");
    list.id = "completions";
    document.body.append(list);
    ask.setAttribute("list", list.id);
    const offer = () => {
      const cut = ask.value.lastIndexOf("·");
      const before = cut < 0 ? "" : `${ask.value.slice(0, cut + 1)} `;
      const part = ask.value.slice(cut + 1).trim().toLowerCase();
      const fits = words.filter((word) => word.toLowerCase().includes(part)).slice(0, 12);
      list.replaceChildren(...fits.map((word) => {
        const option = document.createElement("option");
        option.value = before + word;
        return option;
      }));
    };
    ask.addEventListener("input", offer);
    offer();
  }

  // The live feed: the server sends rows it wrote itself, so that there is one way to write a row.
  const feed = one("table[data-stream]");
  if (feed && window.EventSource) {
    const body = one("tbody", feed);
    const state = one("[data-live]");
    const pause = one("[data-pause]");
    let source = null;
    let held = [];
    let paused = false;
    const rowsMax = 50;
    const show = (html) => {
      const holder = document.createElement("template");
      holder.innerHTML = html;
      const row = one("tr", holder.content);
      if (!row || all("tr", body).some((known) => known.dataset.href === row.dataset.href)) return;
      row.classList.add("fresh");
      body.prepend(row);
      all("time[data-form]", row).forEach(write);
      const on = all("tr", body);
      on.slice(rowsMax).forEach((old) => old.remove());
      one("[data-empty]")?.remove();
    };
    const tell = (text, running) => {
      one("span", state).textContent = text;
      state.classList.toggle("running", running);
    };
    const open = () => {
      source = new EventSource(feed.dataset.stream);
      source.addEventListener("decision", (event) => {
        if (!paused) return show(event.data);
        held.push(event.data);
        held = held.slice(-rowsMax);
        tell(`paused, ${held.length} new`, false);
      });
      source.onopen = () => tell(paused ? "paused" : "live", !paused);
      source.onerror = () => tell("reconnecting", false);
    };
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.textContent = paused ? "Resume" : "Pause";
      if (!paused) {
        held.forEach(show);
        held = [];
      }
      tell(paused ? "paused" : "live", !paused);
    });
    open();
    addEventListener("pagehide", () => source && source.close());
  }
})();
