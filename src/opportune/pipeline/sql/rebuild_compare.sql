-- Table by table: rows of the live State, of the one that was built, and where they are not the same.
select 'profile' as table_name, count(live.profile_id) as live, count(built.profile_id) as built,
    count(*) filter (where built.profile_id is null) as only_live, count(*) filter (where live.profile_id is null) as only_built,
    count(*) filter (
        where live.profile_id is not null and built.profile_id is not null and row(live.*) is distinct from row(built.*)
    ) as differing
from profile as live
full join opportune_rebuild.profile as built on built.profile_id = live.profile_id
union all
select 'identifier' as table_name, count(live.kind) as live, count(built.kind) as built,
    count(*) filter (where built.kind is null) as only_live, count(*) filter (where live.kind is null) as only_built,
    count(*) filter (
        where live.kind is not null and built.kind is not null and row(live.*) is distinct from row(built.*)
    ) as differing
from identifier as live
full join opportune_rebuild.identifier as built on built.kind = live.kind and built.value = live.value
union all
select 'identifier_link' as table_name, count(live.owner_id) as live, count(built.owner_id) as built,
    count(*) filter (where built.owner_id is null) as only_live, count(*) filter (where live.owner_id is null) as only_built,
    count(*) filter (
        where live.owner_id is not null and built.owner_id is not null and row(live.*) is distinct from row(built.*)
    ) as differing
from identifier_link as live
full join opportune_rebuild.identifier_link as built on built.owner_id = live.owner_id and built.other_id = live.other_id
union all
select 'identity_cut' as table_name, count(live.cut_id) as live, count(built.cut_id) as built,
    count(*) filter (where built.cut_id is null) as only_live, count(*) filter (where live.cut_id is null) as only_built,
    count(*) filter (
        where live.cut_id is not null and built.cut_id is not null and row(live.*) is distinct from row(built.*)
    ) as differing
from identity_cut as live
full join opportune_rebuild.identity_cut as built on built.cut_id = live.cut_id
union all
select 'identity_decision' as table_name, count(live.decision_id) as live, count(built.decision_id) as built,
    count(*) filter (where built.decision_id is null) as only_live, count(*) filter (where live.decision_id is null) as only_built,
    count(*) filter (
        where live.decision_id is not null and built.decision_id is not null and row(live.*) is distinct from row(built.*)
    ) as differing
from identity_decision as live
full join opportune_rebuild.identity_decision as built on built.decision_id = live.decision_id
union all
select 'consent' as table_name, count(live.identifier_id) as live, count(built.identifier_id) as built,
    count(*) filter (where built.identifier_id is null) as only_live, count(*) filter (where live.identifier_id is null) as only_built,
    count(*) filter (
        where live.identifier_id is not null and built.identifier_id is not null and row(live.*) is distinct from row(built.*)
    ) as differing
from consent as live
full join opportune_rebuild.consent as built on built.identifier_id = live.identifier_id and built.purpose = live.purpose and built.channel = live.channel
union all
select 'event_hour' as table_name, count(live.identifier_id) as live, count(built.identifier_id) as built,
    count(*) filter (where built.identifier_id is null) as only_live, count(*) filter (where live.identifier_id is null) as only_built,
    count(*) filter (
        where live.identifier_id is not null and built.identifier_id is not null and row(live.*) is distinct from row(built.*)
    ) as differing
from event_hour as live
full join opportune_rebuild.event_hour as built on built.identifier_id = live.identifier_id and built.hour = live.hour
union all
select 'telling' as table_name, count(live.identifier_id) as live, count(built.identifier_id) as built,
    count(*) filter (where built.identifier_id is null) as only_live, count(*) filter (where live.identifier_id is null) as only_built,
    count(*) filter (
        where live.identifier_id is not null and built.identifier_id is not null and row(live.*) is distinct from row(built.*)
    ) as differing
from telling as live
full join opportune_rebuild.telling as built on built.identifier_id = live.identifier_id and built.said_at = live.said_at
union all
select 'account' as table_name, count(live.account_id) as live, count(built.account_id) as built,
    count(*) filter (where built.account_id is null) as only_live, count(*) filter (where live.account_id is null) as only_built,
    count(*) filter (
        where live.account_id is not null and built.account_id is not null and row(live.*) is distinct from row(built.*)
    ) as differing
from account as live
full join opportune_rebuild.account as built on built.account_id = live.account_id
union all
select 'account_member' as table_name, count(live.account_id) as live, count(built.account_id) as built,
    count(*) filter (where built.account_id is null) as only_live, count(*) filter (where live.account_id is null) as only_built,
    count(*) filter (
        where live.account_id is not null and built.account_id is not null and row(live.*) is distinct from row(built.*)
    ) as differing
from account_member as live
full join opportune_rebuild.account_member as built on built.account_id = live.account_id and built.identifier_id = live.identifier_id
union all
select 'segment_membership' as table_name, count(live.segment) as live, count(built.segment) as built,
    count(*) filter (where built.segment is null) as only_live, count(*) filter (where live.segment is null) as only_built,
    count(*) filter (
        where live.segment is not null and built.segment is not null and row(live.*) is distinct from row(built.*)
    ) as differing
from segment_membership as live
full join opportune_rebuild.segment_membership as built on built.segment = live.segment and built.profile_id = live.profile_id and built.entered_at = live.entered_at
