using System.Text;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Requests;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Code of the app that looks at requests before they are routed.</summary>
public sealed class RequestFilterTests : ProxyFixture
{
    private readonly List<string> _calls = [];

    [SetUp]
    public void Clear() => _calls.Clear();

    [Test]
    public async Task They_run_in_the_order_of_their_registration_and_see_who_asks_what()
    {
        Setup.Options.Groups["team"] = new GroupOptions();
        Setup.Options.Keys["tester"].Group = "team";
        Use(
            request => _calls.Add($"1 {request.Operation} {request.Caller} {request.Group} {request.Model} {Text(request)}"),
            _ => _calls.Add("2"),
            _ => _calls.Add("3"));
        await StartAsync();
        string body = Chat.Request();
        Assert.That((await PostAsync(body)).Status, Is.EqualTo(200));
        Assert.That(_calls, Is.EqualTo(new[] { "1 chat tester team gpt-4o-mini " + body, "2", "3" }));
        Assert.That(Upstream.Request.Text, Is.EqualTo(body.Replace("gpt-4o-mini", Chat.UpstreamModel, StringComparison.Ordinal)), "looking changes nothing");
    }

    [Test]
    public async Task What_one_replaces_the_next_one_sees_and_the_upstream_gets()
    {
        Use(
            request => request.ReplaceBody(Bytes(Text(request).Replace(Canary.Prompt, "masked", StringComparison.Ordinal))),
            request => request.ReplaceBody(Bytes(Text(request).Replace("masked", "masked twice", StringComparison.Ordinal))));
        await StartAsync();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        Assert.That((string?)Upstream.Request.Json["messages"]![0]!["content"], Is.EqualTo("masked twice"));
        Assert.That((string?)Upstream.Request.Json["model"], Is.EqualTo(Chat.UpstreamModel));
        AssertNothingIsHeld();
    }

    [Test]
    public async Task A_body_of_its_own_is_routed_and_streamed_by_what_it_says_now()
    {
        Setup.Options.Models["other"] = ProxySetup.Model("main", "other-up");
        Use(request => request.ReplaceBody(Bytes(Chat.Request(stream: true, model: "other"))));
        await StartAsync();
        Contract.AssertWhole(await PostAsync(Chat.Request()), Sse.Whole(Chat.Words("Hello", " there")));
        Assert.That((string?)Upstream.Request.Json["model"], Is.EqualTo("other-up"));
        Assert.That((await RecordAsync()).Model, Is.EqualTo("other"));
    }

    [TestCase("{\"model\":", 400, "invalid_json")]
    [TestCase("[]", 400, "invalid_body")]
    [TestCase("", 400, null)]
    [TestCase("{\"model\":\"gpt-4o-mini\",\"model\":\"gpt-4o-mini\"}", 400, "duplicate_key")]
    [TestCase("{\"model\":\"no-such-model\"}", 404, "model_not_found")]
    public async Task A_body_of_its_own_is_checked_like_a_clients(string body, int status, string? code)
    {
        Use(request => request.ReplaceBody(Bytes(body)));
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request()), status, code);
        AssertNothingIsHeld();
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task A_model_that_the_caller_may_not_use_stays_forbidden()
    {
        Setup.Options.Keys["tester"].Models = ["text-embedding-3-small"];
        Use(request => request.ReplaceBody(Bytes(Chat.Request())));
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request(model: "text-embedding-3-small")), 404, "model_not_found");
        ExpectUpstreamRequests(0);
    }

    [TestCase(400)]
    [TestCase(403)]
    [TestCase(429)]
    [TestCase(503)]
    public async Task A_refusal_is_the_answer_and_no_further_filter_runs(int status)
    {
        Use(request => request.Refuse(status, "no_card_numbers", "Take the card number out."), _ => _calls.Add("2"));
        await StartAsync();
        RawResponse response = await PostAsync(Chat.Request());
        Assert.That(response.Status, Is.EqualTo(status));
        Assert.That((string?)Contract.AssertErrorBody(response.Text, status, "no_card_numbers")["message"], Does.StartWith("Take the card number out."));
        Assert.That(_calls, Is.Empty);
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Status, record.Attempts, record.Caller), Is.EqualTo(("no_card_numbers", status, 0, "tester")));
        AssertNothingIsHeld();
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task On_messages_a_refusal_speaks_that_dialect()
    {
        Setup.Main.Kind = UpstreamKind.Anthropic;
        Use(request => request.Refuse(403, "not_today", "Not today."));
        await StartAsync();
        RawResponse response = await PostAsync(MessageEvents.Request(), MessageEvents.Path, MessageEvents.Version);
        Assert.That((response.Status, (string?)response.Json["type"], (string?)response.Json["error"]!["message"]), Is.EqualTo((403, "error", "Not today.")));
        ExpectUpstreamRequests(0);
    }

    [TestCase(200)]
    [TestCase(302)]
    [TestCase(500)]
    public async Task A_status_that_refuses_nothing_is_a_fault_of_the_filter(int status)
    {
        AllowErrorLogs("a filter asks for what cannot be");
        Use(request => request.Refuse(status, "odd", "Odd."));
        await StartAsync();
        Contract.AssertError(await PostAsync(Chat.Request()), 500, "internal_error");
        ExpectUpstreamRequests(0);
    }

    public static IEnumerable<Exception> Faults() =>
        [new InvalidOperationException("secret words of the app"), new OperationCanceledException(), new TaskCanceledException(null, new TimeoutException())];

    [TestCaseSource(nameof(Faults))]
    public async Task One_that_throws_is_a_500_and_nothing_goes_upstream(Exception fault)
    {
        AllowErrorLogs("the filter throws");
        Use(_ => throw fault, _ => _calls.Add("2"));
        await StartAsync();
        foreach (bool stream in new[] { false, true })
        {
            RawResponse response = await PostAsync(Chat.Request(stream));
            Contract.AssertError(response, 500, "internal_error");
            Assert.That(response.Text, Does.Not.Contain("secret words"));
        }

        await Deadline.Until(() => Proxy.Records.Count == 2);
        Assert.That(Proxy.Records.Select(r => (r.End, r.Blame)), Is.All.EqualTo(("internal_error", "proxy")), "a cancellation of its own is not the client's");
        Assert.That(Proxy.ErrorLines.Count(), Is.EqualTo(2));
        Assert.That(_calls, Is.Empty);
        AssertNothingIsHeld();
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task One_at_work_for_a_client_that_leaves_is_told()
    {
        var entered = new TaskCompletionSource();
        Setup.Services = services => services.AddSingleton<IRequestFilter>(new Filter(async (_, cancellation) =>
        {
            entered.SetResult();
            await Task.Delay(Timeout.Infinite, cancellation);
        }));
        await StartAsync();
        RawClient client = await SendJsonAsync(Chat.Request());
        await Deadline.In(entered.Task);
        client.Reset();
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.Status), Is.EqualTo(("client_disconnect", "client", 499)));
        AssertNothingIsHeld();
        ExpectUpstreamRequests(0);
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string Text(LlmRequest request) => EncodingExtensions.GetString(Encoding.UTF8, request.Body);

    private void Use(params Action<LlmRequest>[] filters) => Setup.Services = services =>
    {
        foreach (Action<LlmRequest> filter in filters)
        {
            services.AddSingleton<IRequestFilter>(new Filter((request, _) =>
            {
                filter(request);
                return ValueTask.CompletedTask;
            }));
        }
    };

    private void AssertNothingIsHeld() =>
        Assert.That(() => App.Services.GetRequiredService<BodyBudget>().Taken, Is.Zero.After(5000, 10));

    private sealed class Filter(Func<LlmRequest, CancellationToken, ValueTask> invoke) : IRequestFilter
    {
        public ValueTask InvokeAsync(LlmRequest request, CancellationToken cancellationToken) => invoke(request, cancellationToken);
    }
}
