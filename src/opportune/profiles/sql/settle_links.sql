-- Which links hold, and why the others do not.
update identifier_link set set_aside = outcome.set_aside
from outcome
where identifier_link.owner_id = outcome.owner_id and identifier_link.other_id = outcome.other_id
    and identifier_link.set_aside is distinct from outcome.set_aside
