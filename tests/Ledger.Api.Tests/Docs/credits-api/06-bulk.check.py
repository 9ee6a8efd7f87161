import contextlib
import io

import missing
from checks import equal, report, run, wire

# The document defines it two snippets before.
estimate = run("04-estimate-service-cost.py")[0]["estimate_service_cost"]
process = run("06-bulk.py", estimate_service_cost=estimate)[0]["process_bulk_efficiently"]
available = wire()["total_available_credits"]

files = [{"duration": seconds} for seconds in (6, 12, 18, 24, 30, 36, 42)]
equal(process(files, "transcription"), True)
# As printed, it returns after the first batch.
equal(missing.batches, [files[:5]])

needed = estimate("transcription", duration=60_000_000)["credits_needed"]
out = io.StringIO()
with contextlib.redirect_stdout(out):
    equal(process([{"duration": 60_000_000}], "transcription"), False)
equal(out.getvalue(), f"Need {needed - available} more credits\n")
equal(len(missing.batches), 1)

report(available=available, batches=[len(batch) for batch in missing.batches])
