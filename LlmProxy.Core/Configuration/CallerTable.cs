namespace LlmProxy.Core.Configuration;

/// <summary>What may stand under <c>Groups</c>, <c>Keys</c> and <c>HostIdentity</c>.</summary>
internal static class CallerTable
{
    private static readonly ObjectShape<BudgetOptions> Budget = new(
        static () => new BudgetOptions(),
        [
            new Member<BudgetOptions, decimal>("Day", MoneyShape.Instance, static (o, v) => o.Day = v),
            new Member<BudgetOptions, decimal>("Month", MoneyShape.Instance, static (o, v) => o.Month = v),
            new Member<BudgetOptions, decimal>("Total", MoneyShape.Instance, static (o, v) => o.Total = v),
        ]);

    private static readonly ChoiceShape<ReserveMode> Reserve = new([("Expected", ReserveMode.Expected), ("Exact", ReserveMode.Exact)]);

    private static readonly MapShape<string> Metadata = new(TextShape.Instance);

    private static readonly ObjectShape<EachKeyOptions> EachKey = new(static () => new EachKeyOptions(), Allowance<EachKeyOptions>());

    private static readonly ObjectShape<EndUserOptions> EndUser = new(
        static () => new EndUserOptions(),
        [
            new Member<EndUserOptions, string>("Header", TextShape.Instance, static (o, v) => o.Header = v),
            .. Allowance<EndUserOptions>(),
        ]);

    /// <summary>A group, in the configuration and in a store.</summary>
    public static ObjectShape<GroupOptions> Group { get; } = new(
        static () => new GroupOptions(),
        [
            Collections.OptionalTexts<GroupOptions>("Models", static (o, v) => o.Models = v),
            Collections.OptionalTexts<GroupOptions>("Endpoints", static (o, v) => o.Endpoints = v),
            Collections.Texts<GroupOptions>("UpstreamTags", static o => o.UpstreamTags),
            .. Allowance<GroupOptions>(),
            new Member<GroupOptions, EachKeyOptions>("EachKey", EachKey, static (o, v) => o.EachKey = v),
            new Member<GroupOptions, EndUserOptions>("EndUser", EndUser, static (o, v) => o.EndUser = v),
            new Member<GroupOptions, string>("TimeZone", TextShape.Instance, static (o, v) => o.TimeZone = v),
        ])
    { IsNamedByOperator = true };

    private static readonly Member<KeyOptions>[] _settings =
    [
        new Member<KeyOptions, string>("Group", TextShape.Instance, static (o, v) => o.Group = v),
        Collections.OptionalTexts<KeyOptions>("Models", static (o, v) => o.Models = v),
        Collections.OptionalTexts<KeyOptions>("Endpoints", static (o, v) => o.Endpoints = v),
        Collections.Texts<KeyOptions>("UpstreamTags", static o => o.UpstreamTags),
        .. Allowance<KeyOptions>(),
        new Member<KeyOptions, EndTime>("Expires", EndTimeShape.Instance, static (o, v) => (o.Expires, o.LastDay) = (v.At, v.Day)),
        new Member<KeyOptions, bool>("Disabled", SwitchShape.Instance, static (o, v) => o.Disabled = v),
        new Member<KeyOptions, string>("TimeZone", TextShape.Instance, static (o, v) => o.TimeZone = v),
        Collections.Map<KeyOptions, string>("Metadata", Metadata, static o => o.Metadata),
        new Member<KeyOptions, bool>("Debug", SwitchShape.Instance, static (o, v) => o.Debug = v),
    ];

    /// <summary>A key in the configuration.</summary>
    public static ObjectShape<KeyOptions> Key { get; } = new(
        static () => new KeyOptions(),
        [
            new Member<KeyOptions, string>("Hash", TextShape.Instance, static (o, v) => o.Hash = v),
            new Member<KeyOptions, string>("Key", new SecretShape(static path => Places.LastName(Places.Parent(path)) + "_KEY"), static (o, v) => o.Key = v),
            .. _settings,
        ])
    { IsNamedByOperator = true };

    /// <summary>A key in a store, which keeps its hash elsewhere.</summary>
    public static ObjectShape<KeyOptions> StoredKey { get; } = new(static () => new KeyOptions(), _settings);

    public static ObjectShape<HostIdentityOptions> HostIdentity { get; } = new(
        static () => new HostIdentityOptions(),
        [
            new Member<HostIdentityOptions, string>("IdClaim", TextShape.Instance, static (o, v) => o.IdClaim = v),
            new Member<HostIdentityOptions, string>("GroupClaim", TextShape.Instance, static (o, v) => o.GroupClaim = v),
            new Member<HostIdentityOptions, string>("DefaultGroup", TextShape.Instance, static (o, v) => o.DefaultGroup = v),
        ]);

    private static Member<T>[] Allowance<T>()
        where T : AllowanceOptions =>
    [
        new Member<T, int>("RequestsPerMinute", WholeNumberShape.Instance, static (o, v) => o.RequestsPerMinute = v),
        new Member<T, long>("TokensPerMinute", LargeNumberShape.Instance, static (o, v) => o.TokensPerMinute = v),
        new Member<T, int>("Concurrent", WholeNumberShape.Instance, static (o, v) => o.Concurrent = v),
        new Member<T, BudgetOptions>("Budget", Budget, static (o, v) => o.Budget = v),
        new Member<T, ReserveMode>("Reserve", Reserve, static (o, v) => o.Reserve = v),
    ];
}
