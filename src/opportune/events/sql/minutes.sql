-- What arrived in each minute of a span of time.
select minute, accepted, flagged, rejected
from received_minute
where minute > %(after)s and minute <= %(until)s
order by minute
