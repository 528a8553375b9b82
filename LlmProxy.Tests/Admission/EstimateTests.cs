using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;
using LlmProxy.Core.Endpoints;
using LlmProxy.Core.Protocol;
using LlmProxy.Tests.Protocol;
using NUnit.Framework;

namespace LlmProxy.Tests.Admission;

/// <summary>What is set aside before anybody knows what is used. The body of a request is 4,000 bytes.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class EstimateTests
{
    private const int Limit = 1_000_000;

    private readonly Caller _expected = Admitting.CallerOf(new KeyOptions { TokensPerMinute = Limit });
    private readonly Caller _exact = Admitting.CallerOf(new KeyOptions { TokensPerMinute = Limit, Reserve = ReserveMode.Exact }, id: "exact");

    [Test]
    public void A_token_is_four_bytes_and_an_answer_as_long_as_the_request_says() => Assert.That(TokensOf(Admitting.Body(answer: 300)), Is.EqualTo(1300));

    [Test]
    public void Each_choice_is_an_answer() => Assert.That(TokensOf(Admitting.Body(answer: 300, more: ",\"n\":3")), Is.EqualTo(1900));

    [Test]
    public void Of_two_words_for_the_same_the_larger_counts() =>
        Assert.That(TokensOf(Admitting.Body(answer: 300, more: ",\"max_completion_tokens\":700")), Is.EqualTo(1700));

    [Test]
    public void A_word_that_another_operation_reads_says_nothing() =>
        Assert.That(TokensOf(Admitting.Body(answer: 3000, more: ",\"max_output_tokens\":1")), Is.EqualTo(4000));

    [Test]
    public void Agents_ask_for_32_000_tokens_and_are_believed_by_what_they_use()
    {
        var admitting = new Admitting();
        string body = Admitting.Body(answer: 32_000);
        Assert.That(TokensOf(body, _expected, admitting), Is.EqualTo(1000 + 4096), "nothing is known");
        for (int i = 0; i < 100; i++)
        {
            Admitting.Slot slot = admitting.Enter(_expected, Admitting.Body(answer: 1));
            slot.Lease.Learn(new Usage(1000, -1, i < 96 ? 500 : 30_000));
            slot.Lease.Settle(0, 0);
        }

        Assert.That(TokensOf(body, _expected, admitting), Is.InRange(1000 + 500, 1000 + 640));
        Assert.That(TokensOf(body, Admitting.CallerOf(new KeyOptions { TokensPerMinute = Limit }, id: "new"), admitting), Is.InRange(1500, 1640), "as for everybody's");
        Assert.That(TokensOf(Admitting.Body(answer: 50), _expected, admitting), Is.EqualTo(1050));
        Assert.That(TokensOf(body, _exact, admitting), Is.EqualTo(4000 + 32_000));
    }

    [Test]
    public void Who_wants_no_limit_passed_has_the_longest_answer_set_aside()
    {
        var unknown = new Admitting();
        ProxyError error = unknown.Reserve(_exact, "{\"model\":\"m\",\"messages\":[]}")!;
        Assert.That((error.Status, error.Code, error.Param), Is.EqualTo((400, "max_tokens_required", "max_tokens")));
        var known = new Admitting(options => options.Models["m"].Context = 8192);
        Assert.That(TokensOf("{\"model\":\"m\",\"messages\":[]}", _exact, known), Is.EqualTo(27 + 8192));
        Assert.That(TokensOf(Admitting.Body(answer: 100_000), _exact, known), Is.EqualTo(4000 + 8192));
    }

    /// <summary>A sum that runs over would be below 0: it would take what others have taken away, and then let everybody in or nobody.</summary>
    [TestCase("9223372036854775807", 1)]
    [TestCase("4611686018427387904", 4)]
    [TestCase("9223372036854775807", 128)]
    public void A_longest_answer_beyond_all_measure_is_refused_and_takes_nothing(string answer, int choices)
    {
        var pool = new GroupOptions { TokensPerMinute = Limit, Reserve = ReserveMode.Exact };
        Caller other = Admitting.CallerOf(new KeyOptions { TokensPerMinute = Limit, Reserve = ReserveMode.Exact }, pool, "other");
        Caller greedy = Admitting.CallerOf(pool: pool, id: "greedy");
        var admitting = new Admitting();
        Assert.That(admitting.Reserve(other), Is.Null);
        string body = FormattableString.Invariant($"{{\"model\":\"m\",\"n\":{choices},\"max_tokens\":{answer},\"messages\":[]}}");
        foreach (Caller caller in new[] { greedy, other })
        {
            ProxyError? error = admitting.Reserve(caller, body);
            Assert.That((error?.Status, error?.Code, error?.IsFinal), Is.EqualTo(((int?)429, "rate_limit_exceeded", (bool?)true)));
        }

        Assert.That(Left(admitting, other), Is.EqualTo(Limit - 5000), "what was taken before still counts");
    }

    [Test]
    public void What_the_upstream_keeps_is_part_of_the_prompt()
    {
        const string body = "{\"model\":\"m\",\"previous_response_id\":\"resp_1\",\"max_output_tokens\":10,\"input\":\"go on\"}";
        Assert.That(new Admitting().Reserve(_exact, new Admitting.Slot(), body, Operations.Responses)!.Code, Is.EqualTo("max_tokens_required"));
        var known = new Admitting(options => options.Models["m"].Context = 8192);
        Assert.That(TokensOf(body, _exact, known, Operations.Responses), Is.EqualTo(8192 + 10));
    }

    [Test]
    public void What_the_configuration_makes_of_a_request_is_what_counts()
    {
        JsonElement Json(string json) => JsonDocument.Parse(json).RootElement;
        Assert.That(TokensOf(Admitting.Body(answer: 300), _expected, new Admitting(o => o.Models["m"].Set["max_tokens"] = Json("40"))), Is.EqualTo(1040));
        Assert.That(TokensOf("{\"model\":\"m\",\"messages\":[]}", _expected, new Admitting(o => o.Models["m"].Default["max_tokens"] = Json("40"))), Is.EqualTo(6 + 40));
        Assert.That(TokensOf(Admitting.Body(answer: 300), _expected, new Admitting(o => o.Models["m"].Remove.Add("max_tokens"))), Is.EqualTo(1000 + 1024));
    }

    [Test]
    public void Embeddings_have_no_answer() =>
        Assert.That(TokensOf("{\"model\":\"m\",\"input\":\"" + new string('.', 1000) + "\"}", operation: Operations.Embeddings), Is.EqualTo(256));

    [TestCase(4096)]
    [TestCase(1)]
    [TestCase(997)]
    public void A_picture_counts_as_one_in_whatever_pieces_it_comes(int piece)
    {
        string picture = Convert.ToBase64String(Enumerable.Range(0, 60_000).Select(i => (byte)(i * 7919)).ToArray());
        byte[] body = Encoding.UTF8.GetBytes("{\"messages\":[{\"content\":\"What is this? \",\"image\":\"data:image/png;base64," + picture + "\"},{\"content\":\"And \\u00e4 this?\"}]}");
        PromptSize size = PromptSize.Of(Segments.InPieces(body, piece));
        Assert.That(size.Attached, Is.InRange(1000, 1010));
        Assert.That(size.TextBytes, Is.EqualTo(body.Length - picture.Length));
        Assert.That(PromptSize.Of(new ReadOnlySequence<byte>(body)), Is.EqualTo(size));
    }

    private long TokensOf(string body, Caller? caller = null, Admitting? admitting = null, Operations operation = Operations.Chat)
    {
        admitting ??= new Admitting();
        caller ??= _expected;
        var slot = new Admitting.Slot();
        long before = Left(admitting, caller);
        Assert.That(admitting.Reserve(caller, slot, body, operation), Is.Null);
        long taken = before - slot.Lease.Rates().Tokens.Remaining;
        slot.Lease.GiveBack();
        return taken;
    }

    private static long Left(Admitting admitting, Caller caller) =>
        admitting.Admitter.RatesOf(caller, new Microsoft.AspNetCore.Http.HeaderDictionary()).Tokens.Remaining;
}
