using System.Text;
using LlmProxy.Tests.Support;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>Who may call, and that nobody else learns anything.</summary>
public sealed class CredentialTests : ProxyFixture
{
    private const string Key = Canary.ClientKey;

    public static IEnumerable<TestCaseData> Refused()
    {
        yield return Row("no_credentials");
        yield return Row("an_empty_header", "Authorization:");
        yield return Row("basic", "Authorization: Basic dXNlcjpwYXNz");
        yield return Row("basic_with_our_key", "Authorization: Basic " + Key);
        yield return Row("bearer_alone", "Authorization: Bearer");
        yield return Row("no_scheme", "Authorization: " + Key);
        yield return Row("a_tab_instead_of_a_space", "Authorization: Bearer\t" + Key);
        yield return Row("quotes", $"Authorization: Bearer \"{Key}\"");
        yield return Row("something_after_the_key", $"Authorization: Bearer {Key} x");
        yield return Row("two_keys_in_one", $"Authorization: Bearer {Key}, Bearer {Key}");
        yield return Row("a_key_of_10_KB", "Authorization: Bearer " + new string('k', 10_000));
        yield return Row("a_key_that_is_not_ASCII", "Authorization: Bearer schlüssel");
        yield return Row("an_unknown_key", "Authorization: Bearer sk-llmp-0000000000000000000000000000");
        yield return Row("our_key_but_for_its_last_letter", "Authorization: Bearer " + Key[..^1]);
        yield return Row("our_key_in_upper_case", "Authorization: Bearer " + Key.ToUpperInvariant());
        yield return Row("the_key_s_hash", "Authorization: Bearer " + Core.Authentication.ApiKeys.Hash(Key));
        yield return Row("the_upstream_s_key", "Authorization: Bearer " + Canary.UpstreamKey);
        yield return Row("an_unknown_x_api_key", "x-api-key: nobody");
    }

    public static IEnumerable<TestCaseData> Accepted()
    {
        yield return Good("S01", "bearer", "Authorization: Bearer " + Key);
        yield return Good("S01", "lower_case_bearer", "Authorization: bearer " + Key);
        yield return Good("S01", "upper_case_bearer", "authorization: BEARER " + Key);
        yield return Good("S01", "two_spaces", "Authorization: Bearer  " + Key);
        yield return Good("S01", "a_space_at_the_end", "Authorization: Bearer " + Key + " ");
        yield return Good("S02", "x_api_key", "x-api-key: " + Key);
        yield return Good("S02", "api_key", "api-key: " + Key);
        yield return Good("S02", "x_goog_api_key", "x-goog-api-key: " + Key);
        yield return Good("S02", "x_llmproxy_key", "x-llmproxy-key: " + Key);
        yield return Good("S02", "our_key_beside_a_foreign_bearer", "Authorization: Bearer sk-ant-foreign", "x-api-key: " + Key);
        yield return Good("S02", "our_bearer_beside_a_foreign_key", "Authorization: Bearer " + Key, "x-api-key: sk-ant-foreign", "api-key: another");
        yield return Good("S02", "our_key_beside_basic", "Authorization: Basic dXNlcjpwYXNz", "x-llmproxy-key: " + Key);
        yield return Good("S02", "the_same_key_twice", "Authorization: Bearer " + Key, "x-api-key: " + Key);
    }

    [TestCaseSource(nameof(Refused))]
    public async Task IsRefused(string[] fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        await StartAsync();
        RawResponse response = await AskAsync(fields);
        Contract.AssertError(response, 401, "invalid_api_key");
        Assert.That(response.Headers["WWW-Authenticate"], Is.EqualTo("Bearer"));
        RecordView record = await RecordAsync();
        Assert.That((record.End, record.Blame, record.Caller), Is.EqualTo(("invalid_api_key", "client", (string?)null)));
        ExpectUpstreamRequests(0);
    }

    [TestCaseSource(nameof(Accepted))]
    public async Task IsAccepted(string[] fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        await StartAsync();
        RawResponse response = await AskAsync(fields);
        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        Assert.That((await RecordAsync()).Caller, Is.EqualTo("tester"));
        string head = Encoding.UTF8.GetString(Upstream.Request.Head.Span);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Upstream.Request.Headers.All("Authorization"), Is.EqualTo(new[] { "Bearer " + Canary.UpstreamKey }), "only our own credentials go up");
            Assert.That(head, Does.Not.Contain("sk-ant-foreign").And.Not.Contain("another").And.Not.Contain("dXNlcjpwYXNz"));
        }
    }

    [Test]
    [Category("S01")]
    public async Task S01_malformed_and_unknown_keys_are_answered_alike()
    {
        await StartAsync();
        RawResponse unknown = await AskAsync("Authorization: Bearer sk-llmp-00000000000000000000000000000000");
        RawResponse malformed = await AskAsync($"Authorization: Bearer \"{Key}\"");
        Assert.That(malformed.Text, Is.EqualTo(unknown.Text));
        Assert.That(malformed.Headers.Names(), Is.EqualTo(unknown.Headers.Names()));
    }

    [TestCase("Authorization: Bearer " + Key, TestName = "S02_two_authorization_headers_are_a_400", Category = "S02")]
    [TestCase("Authorization: Bearer other", TestName = "S02_two_different_authorization_headers_are_a_400", Category = "S02")]
    public async Task TwoHeaders(string second)
    {
        await StartAsync();
        Contract.AssertError(await AskAsync("Authorization: Bearer " + Key, second), 400, code: null);
        ExpectUpstreamRequests(0);
    }

    [Test]
    [Category("S02")]
    public async Task S02_two_different_keys_of_ours_are_refused()
    {
        await StartAsync();
        Contract.AssertError(await AskAsync("Authorization: Bearer " + Key, "x-api-key: " + Canary.OtherClientKey), 400, "ambiguous_credentials");
        ExpectUpstreamRequests(0);
    }

    [TestCase("api_key")]
    [TestCase("key")]
    [TestCase("access_token")]
    [Category("S02")]
    public async Task S02_a_key_in_the_query_is_not_taken(string name)
    {
        await StartAsync();
        RawResponse response = await (await SendAsync(RawClient.Request(
            "POST", $"{ChatPath}?{name}={Key}", Encoding.UTF8.GetBytes(Chat.Request()), "Content-Type: application/json"))).ReadAsync();
        Contract.AssertError(response, 401, "invalid_api_key");
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task A_bad_key_is_told_before_the_body_is_read()
    {
        await StartAsync();
        RawClient client = await SendAsync(Encoding.ASCII.GetBytes(
            $"POST {ChatPath} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nobody\r\nContent-Type: application/json\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n"));
        Contract.AssertError(await client.ReadAsync(), 401, "invalid_api_key");
        Assert.That(Encoding.ASCII.GetString(client.Received.Span), Does.StartWith("HTTP/1.1 401"), "no 100 Continue");
        client.Close();
        ExpectUpstreamRequests(0);
    }

    [Test]
    public async Task Anonymous_callers_are_served_where_the_operator_says_so()
    {
        Setup.Options.Keys.Clear();
        Setup.Options.AllowAnonymous = true;
        await StartAsync();
        Assert.That((await AskAsync()).Status, Is.EqualTo(200));
    }

    private static TestCaseData Row(string what, params string[] fields) =>
        new TestCaseData((object)fields).SetName($"S01_{what}_is_a_401").SetCategory("S01");

    private static TestCaseData Good(string row, string what, params string[] fields) =>
        new TestCaseData((object)fields).SetName($"{row}_{what}_is_accepted").SetCategory(row);

    private async Task<RawResponse> AskAsync(params string[] fields) => await (await SendAsync(RawClient.Request(
        "POST", ChatPath, Encoding.UTF8.GetBytes(Chat.Request()), [.. fields, "Content-Type: application/json"]))).ReadAsync();
}
