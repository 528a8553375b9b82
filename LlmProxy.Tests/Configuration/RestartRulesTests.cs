using LlmProxy.Core.Configuration;
using NUnit.Framework;

namespace LlmProxy.Tests.Configuration;

[TestFixture]
internal sealed class RestartRulesTests
{
    /// <summary>Read with every request, or compiled into each generation.</summary>
    private static readonly string[] _reloaded =
    [
        "Contact", "Upstreams", "Models", "Groups", "Keys", "AllowAnonymous", "HostIdentity", "RevealForbiddenModels", "Limits", "Failover",
        "Prices", "UnpricedModels", "TimeZone", "Admin › Keys",
    ];

    [Test]
    public void Every_member_either_takes_effect_by_a_reload_or_is_named_as_one_that_needs_a_restart()
    {
        var other = new LlmProxyOptions
        {
            Listen = { Api = "http://127.0.0.1:1", Admin = "http://127.0.0.1:2", Certificate = "x", TrustedProxies = { "10.0.0.1" } },
            Shutdown = { Pause = TimeSpan.FromSeconds(1), Deadline = TimeSpan.FromSeconds(2) },
            Cors = { Origins = { "https://a" } },
            Admin = { OnApiPort = true },
            Store = new StoreOptions
            {
                Kind = StoreKind.PostgreSQL,
                Path = "x",
                ConnectionString = "y",
                KeepDays = 1,
                Journal = 1,
                WhenFull = FullJournal.Refuse,
                WhenCutOff = CutOffShare.Serve,
            },
        };
        IReadOnlyList<string> named = RestartRules.Find(new LlmProxyOptions(), other);
        string[] expected =
        [
            .. typeof(LlmProxyOptions).GetProperties().Where(p => !_reloaded.Contains(p.Name))
                .SelectMany(p => p.PropertyType.GetProperties(), (p, inner) => $"{p.Name} › {inner.Name}").Where(path => !_reloaded.Contains(path)),
        ];
        Assert.That(named, Is.EquivalentTo(expected));
        Assert.That(RestartRules.Find(other, other), Is.Empty);
    }
}
