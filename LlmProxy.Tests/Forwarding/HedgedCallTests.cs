using System.Buffers;
using LlmProxy.Core.Balancing;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Forwarding;
using LlmProxy.Core.Protocol;
using LlmProxy.Tests.Balancing;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.Forwarding;

/// <summary>What comes of two attempts that end in the same moment.</summary>
[TestFixture]
internal sealed class HedgedCallTests
{
    private readonly ArrayPool<byte> _pool = ArrayPool<byte>.Shared;
    private TaskCompletionSource<Result<UpstreamAnswer>> _first = null!;
    private TaskCompletionSource<Result<UpstreamAnswer>> _second = null!;
    private TaskCompletionSource<Racer> _behind = null!;
    private Choosing _choosing = null!;
    private ClockWheel _wheel = null!;
    private ExchangeClock _clock = null!;
    private ForwardRequest _request = null!;

    [SetUp]
    public void Make()
    {
        (_first, _second, _behind) = (new(), new(), new(TaskCreationOptions.RunContinuationsAsynchronously));
        _choosing = new Choosing(Choosing.Plain(2), (_, model) => model.Hedge = new HedgeOptions { After = TimeSpan.FromSeconds(1), BudgetPercent = 1 });
        _wheel = new ClockWheel(_choosing.Clock);
        _clock = new ExchangeClock(_wheel, CancellationToken.None);
        _request = Asked.For("/chat/completions") with { Selection = _choosing.Select() };
    }

    [TearDown]
    public void Drop()
    {
        _clock.Dispose();
        _wheel.Dispose();
    }

    [TestCase("client_disconnect")]
    [TestCase("invalid_body")]
    public async Task A_second_that_has_committed_when_the_first_ends_without_an_answer_is_taken(string code)
    {
        (Task<(Result<UpstreamAnswer> Result, Candidate Asked)> running, Racer behind) = await HedgeAsync();
        Assert.That(behind.TryWin());
        _first.SetResult(ErrorOf(code));
        using var answer = new UpstreamAnswer(new HttpResponseMessage(), AnswerKind.Events, _pool.Rent(16), 5, Stream.Null);
        _second.SetResult(answer);
        Result<UpstreamAnswer> taken = (await Deadline.In(running)).Result;
        Assert.That(taken.Value, Is.SameAs(answer), "else nobody would ever give its place back");
    }

    [TestCase("client_disconnect")]
    [TestCase("invalid_body")]
    public async Task A_second_commits_to_nothing_once_the_first_has_ended_it(string code)
    {
        (Task<(Result<UpstreamAnswer> Result, Candidate Asked)> running, Racer behind) = await HedgeAsync();
        _first.SetResult(ErrorOf(code));
        Assert.That((await Deadline.In(running)).Result.Error!.Code, Is.EqualTo(code));
        Assert.That(behind.TryWin(), Is.False);
        _second.SetResult(ProxyErrors.Superseded);
    }

    [Test]
    public async Task A_second_that_never_got_to_be_sent_costs_nothing_of_the_budget()
    {
        (Task<(Result<UpstreamAnswer> Result, Candidate Asked)> running, _) = await HedgeAsync();
        _second.SetResult(ProxyErrors.Saturated);
        _first.SetResult(ProxyErrors.InvalidBody);
        await Deadline.In(running);
        Assert.That(_request.Selection.State.Hedges.TryTake());
    }

    [Test]
    public void Nothing_is_sent_any_more_once_the_other_has_committed()
    {
        var race = new Race();
        Assert.That(new Racer(race, isHedge: false).TryWin());
        var behind = new Racer(race, isHedge: true);
        using var attempt = new Attempt(_clock, mayFollow: false, behind);
        Assert.That(behind.TryBegin(attempt, () => Assert.Fail("it began")), Is.False);
    }

    [TestCase("{\"model\":\"m\"}", true)]
    [TestCase("{\"model\":\"m\",\"conversation\":\"conv_1\"}", false)]
    [TestCase("{\"model\":\"m\",\"previous_response_id\":\"resp_1\"}", false)]
    public void What_an_upstream_keeps_is_not_asked_for_twice_even_if_nobody_remembers_which_it_is(string body, bool suits)
    {
        var request = Asked.For("/responses", json: body) with { Selection = _choosing.Select() };
        Assert.That(HedgedCall.Suits(request), Is.EqualTo(suits));
    }

    private static ProxyError ErrorOf(string code) => code == ProxyErrors.InvalidBody.Code ? ProxyErrors.InvalidBody : ProxyErrors.ClientGone;

    /// <summary>A first that is silent, and a second beside it.</summary>
    private async Task<(Task<(Result<UpstreamAnswer> Result, Candidate Asked)> Running, Racer Behind)> HedgeAsync()
    {
        var series = new AttemptSeries(_request, new LimitOptions(), _clock, null!, new NoBooks(), _choosing.Clock);
        HedgedCall call = HedgedCall.TryMake(series, AskAsync, static (_, _) => { })!;
        Task<(Result<UpstreamAnswer> Result, Candidate Asked)> running = call.RunAsync(_request.Selection.Next(out _)!, Standing.Ready).AsTask();
        _choosing.Clock.Advance(TimeSpan.FromSeconds(1));
        return (running, await Deadline.In(_behind.Task));
    }

    private ValueTask<Result<UpstreamAnswer>> AskAsync(Candidate candidate, Standing standing, Racer? racer)
    {
        if (!racer!.IsHedge)
        {
            return new(_first.Task);
        }

        _behind.SetResult(racer);
        return new(_second.Task);
    }

    private sealed class NoBooks : IAttemptBooks
    {
        public void Note(in AttemptNote happened)
        {
            // Nobody reads them.
        }
    }
}
