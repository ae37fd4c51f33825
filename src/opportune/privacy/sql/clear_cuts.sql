-- Cuts from who is forgotten; cuts of others forget that they were once beside them.
with gone as (
    delete from identity_cut
    where anchor_id in (select old_id from forgotten)
    returning 1
),
fewer as (
    update identity_cut set
        apart_from = array(select each from unnest(apart_from) as each where each not in (select old_id from forgotten))
    where apart_from && array(select old_id from forgotten) and anchor_id not in (select old_id from forgotten)
    returning 1
)
select 'identity_cut' as table_name, (select count(*) from gone)::int + (select count(*) from fewer)::int as rows
