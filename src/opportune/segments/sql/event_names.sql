-- The names of all events that ever came, as rules have them.
select distinct
    case type when 'page' then 'Page Viewed' when 'screen' then 'Screen Viewed' else event end as event
from catalogue_event
order by event
