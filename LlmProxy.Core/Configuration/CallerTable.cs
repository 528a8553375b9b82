namespace LlmProxy.Core.Configuration;

/// <summary>What may stand under <c>Groups</c>, <c>Keys</c> and <c>HostIdentity</c>.</summary>
internal static class CallerTable
{
    public static ObjectShape<GroupOptions> Group { get; } = new(
        static () => new GroupOptions(),
        [
            Collections.OptionalTexts<GroupOptions>("Models", static (o, v) => o.Models = v),
            Collections.Texts<GroupOptions>("UpstreamTags", static o => o.UpstreamTags),
        ],
        "Budget", "EachKey", "RequestsPerMinute", "TokensPerMinute", "Concurrent", "EndUser", "TimeZone")
    { IsNamedByOperator = true };

    public static ObjectShape<KeyOptions> Key { get; } = new(
        static () => new KeyOptions(),
        [
            new Member<KeyOptions, string>("Group", TextShape.Instance, static (o, v) => o.Group = v),
            new Member<KeyOptions, string>("Hash", TextShape.Instance, static (o, v) => o.Hash = v),
            new Member<KeyOptions, string>("Key", new SecretShape(static path => Places.LastName(Places.Parent(path)) + "_KEY"), static (o, v) => o.Key = v),
            Collections.OptionalTexts<KeyOptions>("Models", static (o, v) => o.Models = v),
            Collections.Texts<KeyOptions>("UpstreamTags", static o => o.UpstreamTags),
            new Member<KeyOptions, bool>("Debug", SwitchShape.Instance, static (o, v) => o.Debug = v),
        ],
        "Budget", "RequestsPerMinute", "TokensPerMinute", "Concurrent", "Expires", "TimeZone")
    { IsNamedByOperator = true };

    public static ObjectShape<HostIdentityOptions> HostIdentity { get; } = new(
        static () => new HostIdentityOptions(),
        [
            new Member<HostIdentityOptions, string>("IdClaim", TextShape.Instance, static (o, v) => o.IdClaim = v),
            new Member<HostIdentityOptions, string>("GroupClaim", TextShape.Instance, static (o, v) => o.GroupClaim = v),
            new Member<HostIdentityOptions, string>("DefaultGroup", TextShape.Instance, static (o, v) => o.DefaultGroup = v),
        ]);
}
