-- How many expired, by day.
insert into privacy_expired (day, profiles)
values ((%(now)s::timestamptz at time zone 'UTC')::date, %(profiles)s)
on conflict (day) do update set profiles = privacy_expired.profiles + excluded.profiles
