// How far the audit has come, as the server tells it; without a script the page says so whenever it is loaded.
const run = document.getElementById('audit-run');
if (run) {
  const bar = document.getElementById('audit-bar');
  const events = new EventSource(run.dataset.progress);
  events.addEventListener('progress', (event) => {
    const { words, percent } = JSON.parse(event.data);
    document.getElementById('audit-words').textContent = words;
    if (percent === null) bar.removeAttribute('value');
    else bar.value = percent;
  });
  events.addEventListener('done', () => {
    events.close();
    location.reload();
  });
}
