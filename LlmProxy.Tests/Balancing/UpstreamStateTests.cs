using LlmProxy.Core.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Balancing;

internal sealed class UpstreamStateTests
{
    [Test]
    public void What_is_known_of_a_model_goes_with_it()
    {
        var (before, after) = (new Choosing(Choosing.Plain(1)), new Choosing(Choosing.Plain(1)));
        var state = before.States.Of(before.Route).State;
        before.States.Retain([Choosing.Model, "another"]);
        Assert.That(before.States.Of(after.Route).State, Is.SameAs(state), "a reload that keeps it");
        before.States.Retain(["another"]);
        Assert.That(before.States.Of(new Choosing(Choosing.Plain(1)).Route).State, Is.Not.SameAs(state));
    }

    [Test]
    public void A_pause_that_is_asked_for_while_another_request_is_answered_holds()
    {
        const int Rounds = 4_000;
        var state = new Choosing(Choosing.Plain(1)).StateOf("a");
        ProxyError limited = ProxyErrors.AuthError with { Cause = FailureCause.RateLimited, CoolForMs = 50 };
        using var together = new Barrier(2);
        var answering = new Thread(() =>
        {
            for (int i = 1; i <= Rounds; i++)
            {
                together.SignalAndWait();
                state.Answered(Choosing.Model, i * 100);
                together.SignalAndWait();
            }
        });
        answering.Start();
        int lost = 0;
        for (int i = 1; i <= Rounds; i++)
        {
            together.SignalAndWait();
            state.Failed(Choosing.Model, limited, i * 100);
            together.SignalAndWait();
            lost += state.CoolingModels(i * 100).Any() ? 0 : 1;
        }

        answering.Join();
        Assert.That(lost, Is.Zero);
    }
}
