-- Posts chat requests of about 270 bytes. Options come by the environment:
-- BENCH_KEY (a bearer token), BENCH_BODY (a body; in it %d becomes the running number, %w a word that goes with it),
-- BENCH_FIRST (the first number: a run that begins where the last one ended repeats none of its texts).
local key, body = os.getenv("BENCH_KEY"), os.getenv("BENCH_BODY")
local first = tonumber(os.getenv("BENCH_FIRST") or "100000")
local words = {}
for word in ([[coffee tea cocoa milk rice bread cheese honey salt paper glass cotton silk wool iron copper silver gold marble
granite cedar maple willow bamboo cherry lemon orange apple pear plum olive pepper ginger garlic onion carrot potato tomato
pumpkin barley wheat maize violet indigo scarlet amber ivory ebony river meadow harbour valley island glacier desert forest
garden orchard market station library theatre museum bakery]]):gmatch("%a+") do words[#words + 1] = word end
local ready, n = {}, 0

function init(args)
  wrk.method = "POST"
  wrk.headers["content-type"] = "application/json"
  if key then wrk.headers["authorization"] = "Bearer " .. key end
  for i = 1, 20000 do
    local at = first + i
    local said = body:gsub("%%d", tostring(at)):gsub("%%w", words[at * 37 % #words + 1])
    ready[i] = wrk.format(nil, nil, nil, said)
  end
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
