-- Sends whole requests from a file, each once: a line with its length, then its bytes. Ends with a line of JSON.

local requests, number = {}, 0

function init(arguments)
   local file = assert(io.open(arguments[1], "rb"))
   for line in function() return file:read("*l") end do
      requests[#requests + 1] = file:read(tonumber(line))
   end
   file:close()
end

function request()
   number = number + 1
   if number >= #requests then
      wrk.thread:stop()
   end
   return requests[math.min(number, #requests)]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"requests": %d, "microseconds": %d, "errors": %d, "p50": %d, "p99": %d, "p999": %d, "most": %d}\n',
      summary.requests, summary.duration,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max))
end
