using LlmProxy.Core.Accounting;
using LlmProxy.Core.Admission;
using NUnit.Framework;

namespace LlmProxy.Tests.Accounting;

/// <summary>What the ledger calls an end user's spend, and admission its limits.</summary>
[TestFixture]
internal sealed class MeterNameTests
{
    [TestCase("chat", "anna@example.com", "user/chat/anna@example.com")]
    [TestCase("team/x", "b", "user/team%2Fx/b")]
    [TestCase("team", "x/b", "user/team/x/b")]
    public void Both_call_a_user_the_same_and_no_two_users_have_one_name(string group, string user, string name) =>
        Assert.That((LedgerRow.MeterOf(group, user), UserMeters.NameOf(group, user)), Is.EqualTo((name, name)));
}
