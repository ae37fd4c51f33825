-- Every field of the catalogue by event, or only those with values that look like those of a person.
select distinct kind, event, name
from catalogue_field
where not %(personal)s or personal_values > 0
order by kind, name, event
