-- Posts chat requests of about 270 bytes, no two of the last 20,000 alike: more than a guard remembers. Options come by the environment:
-- BENCH_KEY (a bearer token), BENCH_BODY (a body; %d in it becomes the running number).
local key, body = os.getenv("BENCH_KEY"), os.getenv("BENCH_BODY")
local ready, n = {}, 0

function init(args)
  wrk.method = "POST"
  wrk.headers["content-type"] = "application/json"
  if key then wrk.headers["authorization"] = "Bearer " .. key end
  for i = 1, 20000 do ready[i] = wrk.format(nil, nil, nil, (body:gsub("%%d", tostring(100000 + i)))) end
end

function request()
  n = n % 20000 + 1
  return ready[n]
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\nBENCH {"requests":%d,"duration_s":%.6f,"bad_status":%d,"lost":%d,"p50_ms":%.4f,"p90_ms":%.4f,"p99_ms":%.4f,"max_ms":%.4f}\n',
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
