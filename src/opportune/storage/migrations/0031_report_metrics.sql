-- What the groups of a use case brought of the metrics that its report shows beside the success metric.
create table report_metric (
    use_case text not null,
    version int not null,
    metric text not null,
    -- the newest mature day that is in it
    through date not null,
    -- what the metric counted, and how many profiles each group had: of anything else it is worthless
    counted jsonb not null,
    groups jsonb not null,
    primary key (use_case, version, metric)
);
