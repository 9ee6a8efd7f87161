select
  w.everything,
  w.streams,
--[ looks
  array(select r.n from repeated r) as repeated,
--]
  (select g.holds from guard g) as guard_holds
from won w
