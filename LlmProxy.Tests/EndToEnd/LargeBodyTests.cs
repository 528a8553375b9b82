using System.Buffers;
using System.Diagnostics;
using System.Reflection;
using System.Text;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Protocol;
using LlmProxy.Core.Requests;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Bodies that are large, many, or larger than they look.</summary>
public sealed class LargeBodyTests : ProxyFixture
{
    private const int Mega = 1 << 20;

    // What is promised is promised of optimised code; without, every step costs about three times as much.
    private static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(
        typeof(RequestFields).Assembly.GetCustomAttribute<DebuggableAttribute>() is { IsJITOptimizerDisabled: true } ? 300 : 100);


    private static readonly FieldNames s_names = new([]);

    [TestCase(500_000, 1, TestName = "C13_half_a_million_members_pass", Category = "C13")]
    [TestCase(1, 10_000_000, TestName = "C13_one_string_of_10_MB_passes", Category = "C13")]
    public async Task Passes(int members, int length)
    {
        byte[] body = Members(members, length);
        await StartAsync();
        RawClient client = await SendAsync(RawClient.Request("POST", ChatPath, body, Authorization));
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        Assert.That(Upstream.Request.Text, Is.EqualTo(Encoding.UTF8.GetString(body).Replace("\"gpt-4o-mini\"", $"\"{Chat.UpstreamModel}\"", StringComparison.Ordinal)));
    }

    [Test]
    [Category("C13")]
    public void C13_finding_the_fields_of_5_MB_takes_less_than_100_ms_99_times_of_100()
    {
        // The hardest that 5 MB can be: nothing but members.
        ReadOnlySequence<byte> members = new(Members(380_000, 1));
        Assert.That(members.Length, Is.InRange(5_000_000, 6_000_000));
        Assert.That(Slowest99(members), Is.LessThan(s_longest));
        Assert.That(Slowest99(new ReadOnlySequence<byte>(Members(1, 5_000_000))), Is.LessThan(s_longest));
    }

    [Test]
    [Category("C13")]
    public void C13_the_time_to_find_the_fields_grows_with_the_body_and_no_faster()
    {
        TimeSpan small = Fastest(new ReadOnlySequence<byte>(Members(50_000, 20)));
        TimeSpan large = Fastest(new ReadOnlySequence<byte>(Members(500_000, 20)));
        Assert.That(large, Is.LessThan(small * 30), "ten times as many members");
    }

    [Test]
    [Category("C14")]
    public async Task C14_a_length_over_the_limit_is_refused_before_a_byte_of_it_is_asked_for()
    {
        Setup.Options.Limits.RequestBody = Mega;
        await StartAsync();
        RawClient client = await SendAsync(Head($"Content-Length: {Mega + 1}", "Expect: 100-continue"));
        RawResponse response = await client.ReadAsync();
        Contract.AssertError(response, 413, "request_too_large");
        Assert.That(response.Headers["Connection"], Is.EqualTo("close"));
        Assert.That(Encoding.ASCII.GetString(client.Received.Span), Does.StartWith("HTTP/1.1 413"), "nothing before it");
        client.Close();
        Assert.That(new LimitOptions().RequestBody, Is.GreaterThanOrEqualTo(50_000_000), "images fit by default");
    }

    [Test]
    [Category("C15")]
    public async Task C15_chunks_over_the_limit_are_refused_as_soon_as_they_pass_it()
    {
        Setup.Options.Limits.RequestBody = Mega;
        await StartAsync();
        RawClient client = await SendAsync(Head("Transfer-Encoding: chunked"));
        string piece = "10000\r\n" + new string(' ', 0x10000) + "\r\n";
        for (int sent = 0; sent <= Mega; sent += 0x10000)
        {
            await client.SendAsync(piece);
        }

        RawResponse response = await client.ReadAsync();
        Contract.AssertError(response, 413, "request_too_large");
        Assert.That(response.Headers["Connection"], Is.EqualTo("close"));
        AssertNothingIsHeld();
    }

    [Test]
    [Category("C16")]
    public async Task C16_bodies_that_have_no_room_beside_others_are_told_to_come_back()
    {
        const int Clients = 50;
        const int Room = 20;
        byte[] body = Members(1, Mega);
        InProcessOnly("it looks at the budget");
        Setup.Options.Limits.AllRequestBodies = Room * body.Length;
        await StartAsync();
        List<RawClient> inside = await AnnounceAsync(Room, body.Length, body.AsMemory(..^1));
        await Deadline.Until(() => Budget.Taken == Room * (body.Length - 1), what: "the bodies to be there but for their last bytes");

        // What has no room is told so when it is announced, and need not send anything.
        foreach (RawClient client in await AnnounceAsync(Clients - Room, body.Length, default))
        {
            RawResponse response = await client.ReadAsync();
            Contract.AssertError(response, 503, "overloaded");
            Assert.That((response.Headers["Retry-After"], response.Headers["Connection"]), Is.EqualTo(("1", "close")));
            client.Close();
        }

        foreach (RawClient client in inside)
        {
            await client.SendAsync(body.AsMemory(^1..));
            Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        }

        AssertNothingIsHeld();
        ExpectUpstreamRequests(Room);
    }

    [Test]
    [Category("C16")]
    public async Task C16_a_length_that_was_only_announced_keeps_nobody_out()
    {
        Setup.Options.Limits.AllRequestBodies = 2 * Mega;
        await StartAsync();
        List<RawClient> idle = await AnnounceAsync(50, Mega, "{"u8.ToArray());
        for (int i = 0; i < 10; i++)
        {
            Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        }

        idle.ForEach(client => client.Close());
        AssertNothingIsHeld();
        ExpectUpstreamRequests(10);
    }

    [Test]
    [Category("C16")]
    public async Task C16_a_body_that_outgrows_what_is_left_is_refused_there()
    {
        Setup.Options.Limits.AllRequestBodies = Mega;
        await StartAsync();
        RawClient client = await SendAsync(Head("Transfer-Encoding: chunked"));
        string piece = "10000\r\n" + new string(' ', 0x10000) + "\r\n";
        for (int sent = 0; sent <= Mega; sent += 0x10000)
        {
            await client.SendAsync(piece);
        }

        Contract.AssertError(await client.ReadAsync(), 503, "overloaded");
        AssertNothingIsHeld();
    }

    [Test]
    [Category("P25")]
    public void P25_the_budget_of_bodies_lends_what_it_has_and_gets_all_of_it_back()
    {
        var budget = new BodyBudget();
        int refused = 0;
        Parallel.For(0, 20_000, i =>
        {
            var share = new BodyShare(budget, new LimitOptions { AllRequestBodies = 1000, RequestBody = 500 });
            bool kept = share.Check(i % 300) is null;
            kept &= share.Check((i % 300) + 100) is null;
            Interlocked.Add(ref refused, kept ? 0 : 1);
            share.GiveBackUnlessKept();
        });
        using (Assert.EnterMultipleScope())
        {
            Assert.That(budget.Taken, Is.Zero);
            Assert.That(new BodyShare(budget, new LimitOptions { AllRequestBodies = 1000 }).Check(1001)!.Code, Is.EqualTo("overloaded"));
            Assert.That(new BodyShare(budget, new LimitOptions { AllRequestBodies = 1000 }).Check(1000), Is.Null);
            Assert.That(new BodyShare(new BodyBudget(), new LimitOptions { AllRequestBodies = 1000, RequestBody = 500 }).Check(501)!.Code, Is.EqualTo("request_too_large"));
        }
    }

    [Test]
    [Category("C50")]
    public async Task C50_tools_schemas_and_images_pass_and_are_not_logged()
    {
        string tools = string.Join(',', Enumerable.Range(0, 200).Select(i => "{\"type\":\"function\",\"function\":{\"name\":\"f" + i + "\",\"parameters\":{\"type\":\"object\"}}}"));
        string schema = "{\"type\":\"object\",\"properties\":{" + string.Join(',', Enumerable.Range(0, 60_000).Select(i => $$"""  "p{{i}}":{"type":"string","description":"{{Canary.Prompt}} {{i}}"}""")) + "}}";
        string image = "data:image/png;base64," + new string('A', 20_000_000);
        string body = "{\"tools\":[" + tools + "],\"response_format\":{\"type\":\"json_schema\",\"json_schema\":" + schema
            + "},\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"" + image + "\"}}]}],\"model\":\"gpt-4o-mini\"}";
        await StartAsync();
        Assert.That((await PostAsync(body)).Status, Is.EqualTo(200));
        string expected = body.Replace("\"gpt-4o-mini\"", $"\"{Chat.UpstreamModel}\"", StringComparison.Ordinal);
        Assert.That(Upstream.Request.Body.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(expected)));
        Assert.That(Proxy.LogLines.Where(line => line.Length > 10_000), Is.Empty);
    }

    [Test]
    [Category("C50")]
    public void C50_finding_the_fields_of_5_MB_takes_less_than_20_ms_99_times_of_100()
    {
        // As conversations are: few members, long texts.
        Assert.That(Slowest99(new ReadOnlySequence<byte>(Members(50, 100_000))), Is.LessThan(TimeSpan.FromMilliseconds(20)));
    }

    private static byte[] Head(params string[] fields) => Encoding.ASCII.GetBytes(
        $"POST {ChatPath} HTTP/1.1\r\nHost: x\r\n{Authorization}\r\nContent-Type: application/json\r\n{string.Join("\r\n", fields)}\r\n\r\n");

    private static byte[] Members(int count, int length)
    {
        var body = new StringBuilder("{\"model\":\"gpt-4o-mini\"");
        for (int i = 0; i < count; i++)
        {
            body.Append(",\"k").Append(i).Append("\":\"").Append('v', length).Append('"');
        }

        return Encoding.UTF8.GetBytes(body.Append('}').ToString());
    }

    /// <summary>The 99th of 100.</summary>
    private static TimeSpan Slowest99(ReadOnlySequence<byte> body)
    {
        RequestFields.Read(body, s_names);
        return Enumerable.Range(0, 100).Select(_ => ThreadTime.Of(() => Assert.That(RequestFields.Read(body, s_names).Error, Is.Null))).Order().ElementAt(98);
    }

    private static TimeSpan Fastest(ReadOnlySequence<byte> body) =>
        Enumerable.Range(0, 7).Min(_ => ThreadTime.Of(() => Assert.That(RequestFields.Read(body, s_names).Error, Is.Null)));

    private async Task<List<RawClient>> AnnounceAsync(int clients, int length, ReadOnlyMemory<byte> begun)
    {
        var announced = new List<RawClient>();
        for (int i = 0; i < clients; i++)
        {
            announced.Add(await SendAsync(Head($"Content-Length: {length}")));
            await announced[^1].SendAsync(begun);
        }

        return announced;
    }

    private BodyBudget Budget => App.Services.GetRequiredService<BodyBudget>();

    private void AssertNothingIsHeld()
    {
        if (Proxy is InProcessProxy)
        {
            Assert.That(() => Budget.Taken, Is.Zero.After(5000, 10));
        }
    }
}
