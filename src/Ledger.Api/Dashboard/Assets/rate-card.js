// What is being written outlives the page: another page in between, a sign-in that ran out. It is kept in this window alone, until it is published or dropped.
const kept = 'ledger-rate-card';
const text = document.getElementById('f-card');
const from = document.getElementById('f-effective');

if (text) {
  const offer = document.getElementById('draft');
  const draft = JSON.parse(sessionStorage.getItem(kept) ?? 'null');
  const read = () => ({ card: text.value, effective: from.value });
  const begun = JSON.stringify(read());
  if (draft && JSON.stringify(draft) !== begun) offer.hidden = false;
  document.getElementById('draft-take').addEventListener('click', () => {
    [text.value, from.value] = [draft.card, draft.effective];
    offer.hidden = true;
    text.focus();
  });
  document.getElementById('draft-drop').addEventListener('click', () => {
    sessionStorage.removeItem(kept);
    offer.hidden = true;
    text.focus();
  });
  for (const field of [text, from]) {
    field.addEventListener('input', () => sessionStorage.setItem(kept, JSON.stringify(read())));
  }
} else {
  // A page that says that it is published.
  sessionStorage.removeItem(kept);
}
