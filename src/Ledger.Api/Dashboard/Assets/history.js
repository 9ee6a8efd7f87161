// What an account had at the moment that the slider shows. Without a script the form beneath it asks the same.
const form = document.querySelector('[data-as-of]');
const [slider, at] = [document.getElementById('as-of-slider'), document.getElementById('as-of-at')];
const [fault, figures] = [document.getElementById('then-fault'), document.getElementById('then-figures')];
let asked = 0;

if (form) {
  document.querySelector('.as-of-slider').hidden = false;
  slider.addEventListener('input', () => {
    at.value = new Date(slider.valueAsNumber * 1000).toISOString().slice(0, 19);
    describe();
    ask();
  });
  at.addEventListener('change', () => {
    if (!at.value) return;
    slider.value = Date.parse(`${at.value}Z`) / 1000;
    describe();
    ask();
  });
  describe();
}

// A number of seconds says nothing to whoever cannot see where the slider stands.
function describe() {
  slider.setAttribute('aria-valuetext', `${at.value.replace('T', ' ')} UTC`);
}

async function ask() {
  const turn = asked += 1;
  await new Promise((resolve) => setTimeout(resolve, 60));

  // Only where it came to rest, and only the last answer.
  if (turn !== asked) return;
  const isNow = slider.valueAsNumber >= Number(slider.max);
  const response = await fetch(`${form.dataset.asOf}${isNow ? '' : `?at=${encodeURIComponent(at.value)}`}`, { redirect: 'manual' }).catch(() => null);
  if (turn !== asked) return;
  if (response?.type === 'opaqueredirect') {
    location.reload();
    return;
  }
  const then = response?.ok ? await response.json().catch(() => null) : null;
  if (turn !== asked) return;

  // What is shown is of another moment: it stands back until there is an answer.
  fault.hidden = then !== null;
  figures.hidden = then === null;
  if (then === null) return;
  for (const part of ['at', 'status', 'version']) document.getElementById(`then-${part}`).textContent = then[part];
  const since = isNow ? '' : `at=${encodeURIComponent(at.value)}&`;
  document.getElementById('then-events').href = `${form.getAttribute('action')}?${since}before=${then.before}`;
  for (const unit of ['credits', 'usd']) {
    for (const figure of ['available', 'held', 'debt']) document.getElementById(`then-${unit}-${figure}`).textContent = then[unit][figure];
  }
}
