// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

// Stand-ins for Circle's CCTP v2 contracts on local chains: no npm package carries their code. Written from the published
// description (circlefin/evm-cctp-contracts, v2.1): same functions, events, message bytes, signature rule and revert strings as far
// as a transfer of USDC meets them. Not Circle's code; roles, upgrades, hooks' execution and rescue are left out.

// The words of reverts and the names of constants are Circle's.
// solhint-disable reason-string, const-name-snakecase

interface IMintBurnToken {
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
    function mint(address to, uint256 amount) external returns (bool);
    function burn(uint256 amount) external;
}

/// @notice What the three stand-ins share: one owner, who sets everything up and plays Circle's administrators.
abstract contract LocalCctpOwned {
    address public immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    modifier onlyOwner() {
        require(msg.sender == owner, "Ownable: caller is not the owner");
        _;
    }
}

/// @notice Stand-in for MessageTransmitterV2: emits messages, and takes attested ones once.
contract LocalMessageTransmitterV2 is LocalCctpOwned {
    event MessageSent(bytes message);
    event MessageReceived(
        address indexed caller,
        uint32 sourceDomain,
        bytes32 indexed nonce,
        bytes32 sender,
        uint32 indexed finalityThresholdExecuted,
        bytes messageBody
    );
    event Pause();
    event Unpause();

    uint256 private constant HEADER = 148;
    uint256 private constant SIGNATURE = 65;
    uint32 private constant FINALIZED = 2000;
    /// @dev Highest s of a signature that counts (EIP-2).
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    uint32 public immutable localDomain;
    uint32 public constant version = 1;
    uint256 public constant maxMessageBodySize = 8192;

    bool public paused;
    uint256 public signatureThreshold;
    mapping(address attester => bool enabled) public isEnabledAttester;
    mapping(bytes32 nonce => uint256 used) public usedNonces;

    constructor(address owner_, uint32 localDomain_, address[] memory attesters) LocalCctpOwned(owner_) {
        localDomain = localDomain_;
        signatureThreshold = attesters.length;
        for (uint256 i = 0; i < attesters.length; ++i) isEnabledAttester[attesters[i]] = true;
    }

    modifier whenNotPaused() {
        require(!paused, "Pausable: paused");
        _;
    }

    function pause() external onlyOwner {
        paused = true;
        emit Pause();
    }

    function unpause() external onlyOwner {
        paused = false;
        emit Unpause();
    }

    /// @notice Nonce and executed finality are left zero: the attesters fill them in.
    function sendMessage(
        uint32 destinationDomain,
        bytes32 recipient,
        bytes32 destinationCaller,
        uint32 minFinalityThreshold,
        bytes calldata messageBody
    ) external whenNotPaused {
        require(destinationDomain != localDomain, "Domain is local domain");
        require(messageBody.length <= maxMessageBodySize, "Message body exceeds max size");
        require(recipient != bytes32(0), "Recipient must be nonzero");
        bytes32 sender = bytes32(uint256(uint160(msg.sender)));
        bytes memory route = abi.encodePacked(version, localDomain, destinationDomain, bytes32(0), sender, recipient);
        emit MessageSent(abi.encodePacked(route, destinationCaller, minFinalityThreshold, uint32(0), messageBody));
    }

    function receiveMessage(bytes calldata message, bytes calldata attestation) external whenNotPaused returns (bool) {
        _verify(keccak256(message), attestation);
        require(message.length >= HEADER, "Invalid message: too short");
        require(uint32(bytes4(message[8:12])) == localDomain, "Invalid destination domain");
        bytes32 caller = bytes32(message[108:140]);
        require(caller == bytes32(0) || caller == bytes32(uint256(uint160(msg.sender))), "Invalid caller for message");
        require(uint32(bytes4(message[0:4])) == version, "Invalid message version");
        bytes32 nonce = bytes32(message[12:44]);
        require(usedNonces[nonce] == 0, "Nonce already used");
        usedNonces[nonce] = 1;
        _handle(message, nonce);
        return true;
    }

    function _handle(bytes calldata message, bytes32 nonce) private {
        LocalTokenMessengerV2 to = LocalTokenMessengerV2(address(uint160(uint256(bytes32(message[76:108])))));
        uint32 domain = uint32(bytes4(message[4:8]));
        bytes32 sender = bytes32(message[44:76]);
        uint32 finality = uint32(bytes4(message[144:148]));
        bytes calldata body = message[HEADER:];
        if (finality < FINALIZED)
            require(
                to.handleReceiveUnfinalizedMessage(domain, sender, finality, body),
                "handleReceiveUnfinalizedMessage() failed"
            );
        else
            require(
                to.handleReceiveFinalizedMessage(domain, sender, finality, body),
                "handleReceiveFinalizedMessage() failed"
            );
        emit MessageReceived(msg.sender, domain, nonce, sender, finality, body);
    }

    /// @dev Exactly as many 65-byte signatures as the threshold, in rising order of their signers.
    function _verify(bytes32 digest, bytes calldata attestation) private view {
        require(attestation.length == SIGNATURE * signatureThreshold, "Invalid attestation length");
        address last = address(0);
        for (uint256 i = 0; i < signatureThreshold; ++i) {
            bytes calldata signature = attestation[i * SIGNATURE:(i + 1) * SIGNATURE];
            require(uint256(bytes32(signature[32:64])) <= HALF_ORDER, "ECDSA: invalid signature 's' value");
            uint8 v = uint8(signature[64]);
            address signer = ecrecover(digest, v, bytes32(signature[0:32]), bytes32(signature[32:64]));
            require(signer != address(0), "ECDSA: invalid signature");
            require(signer > last, "Invalid signature order or dupe");
            require(isEnabledAttester[signer], "Invalid signature: not attester");
            last = signer;
        }
    }
}

/// @notice Stand-in for TokenMessengerV2: burns here, mints what was burned there.
contract LocalTokenMessengerV2 is LocalCctpOwned {
    event DepositForBurn(
        address indexed burnToken,
        uint256 amount,
        address indexed depositor,
        bytes32 mintRecipient,
        uint32 destinationDomain,
        bytes32 destinationTokenMessenger,
        bytes32 destinationCaller,
        uint256 maxFee,
        uint32 indexed minFinalityThreshold,
        bytes hookData
    );
    event MintAndWithdraw(
        address indexed mintRecipient,
        uint256 amount,
        address indexed mintToken,
        uint256 feeCollected
    );

    /// @dev Least finality that a mint accepts.
    uint32 private constant MIN_FINALITY = 500;
    uint256 public constant MIN_FEE_MULTIPLIER = 10_000_000;
    uint32 public constant messageBodyVersion = 1;

    LocalMessageTransmitterV2 public immutable localMessageTransmitter;
    LocalTokenMinterV2 public immutable localMinter;
    address public immutable feeRecipient;
    uint256 public minFee;
    mapping(uint32 domain => bytes32 messenger) public remoteTokenMessengers;
    mapping(address account => bool denied) private _denylist;

    constructor(
        address owner_,
        LocalMessageTransmitterV2 transmitter,
        LocalTokenMinterV2 minter,
        address feeRecipient_
    ) LocalCctpOwned(owner_) {
        localMessageTransmitter = transmitter;
        localMinter = minter;
        feeRecipient = feeRecipient_;
    }

    modifier onlyMessages(uint32 domain, bytes32 sender) {
        require(msg.sender == address(localMessageTransmitter), "Invalid message transmitter");
        require(sender != bytes32(0) && remoteTokenMessengers[domain] == sender, "Remote TokenMessenger unsupported");
        _;
    }

    function addRemoteTokenMessenger(uint32 domain, bytes32 messenger) external onlyOwner {
        remoteTokenMessengers[domain] = messenger;
    }

    function setMinFee(uint256 fee) external onlyOwner {
        minFee = fee;
    }

    function denylist(address account) external onlyOwner {
        _denylist[account] = true;
    }

    function unDenylist(address account) external onlyOwner {
        _denylist[account] = false;
    }

    function isDenylisted(address account) external view returns (bool) {
        return _denylist[account];
    }

    function getMinFeeAmount(uint256 amount) public view returns (uint256) {
        if (minFee == 0) return 0;
        uint256 fee = (amount * minFee) / MIN_FEE_MULTIPLIER;
        return fee == 0 ? 1 : fee;
    }

    function depositForBurn(
        uint256 amount,
        uint32 destinationDomain,
        bytes32 mintRecipient,
        address burnToken,
        bytes32 destinationCaller,
        uint256 maxFee,
        uint32 minFinalityThreshold
    ) external {
        Burn memory burn = Burn(amount, destinationDomain, mintRecipient, burnToken, destinationCaller, maxFee, "");
        _depositForBurn(burn, minFinalityThreshold);
    }

    function depositForBurnWithHook(
        uint256 amount,
        uint32 destinationDomain,
        bytes32 mintRecipient,
        address burnToken,
        bytes32 destinationCaller,
        uint256 maxFee,
        uint32 minFinalityThreshold,
        bytes calldata hookData
    ) external {
        require(hookData.length > 0, "Hook data is empty");
        Burn memory burn = Burn(
            amount,
            destinationDomain,
            mintRecipient,
            burnToken,
            destinationCaller,
            maxFee,
            hookData
        );
        _depositForBurn(burn, minFinalityThreshold);
    }

    struct Burn {
        uint256 amount;
        uint32 domain;
        bytes32 recipient;
        address token;
        bytes32 caller;
        uint256 maxFee;
        bytes hookData;
    }

    function _depositForBurn(Burn memory b, uint32 minFinality) private {
        require(!_denylist[msg.sender] && !_denylist[tx.origin], "Denylistable: account is on denylist"); // solhint-disable-line avoid-tx-origin
        require(b.amount > 0, "Amount must be nonzero");
        require(b.recipient != bytes32(0), "Mint recipient must be nonzero");
        require(b.maxFee < b.amount, "Max fee must be less than amount");
        require(b.maxFee >= getMinFeeAmount(b.amount), "Insufficient max fee");
        bytes32 messenger = remoteTokenMessengers[b.domain];
        require(messenger != bytes32(0), "No TokenMessenger for domain");
        require(
            IMintBurnToken(b.token).transferFrom(msg.sender, address(localMinter), b.amount),
            "Transfer operation failed"
        );
        localMinter.burn(b.token, b.amount);
        localMessageTransmitter.sendMessage(b.domain, messenger, b.caller, minFinality, _body(b));
        emit DepositForBurn(
            b.token,
            b.amount,
            msg.sender,
            b.recipient,
            b.domain,
            messenger,
            b.caller,
            b.maxFee,
            minFinality,
            b.hookData
        );
    }

    /// @dev Executed fee and expiration block are left zero: the attesters fill them in.
    function _body(Burn memory b) private view returns (bytes memory) {
        bytes32 token = bytes32(uint256(uint160(b.token)));
        bytes32 sender = bytes32(uint256(uint160(msg.sender)));
        bytes memory what = abi.encodePacked(messageBodyVersion, token, b.recipient, b.amount, sender);
        return abi.encodePacked(what, b.maxFee, uint256(0), uint256(0), b.hookData);
    }

    function handleReceiveFinalizedMessage(
        uint32 domain,
        bytes32 sender,
        uint32,
        bytes calldata body
    ) external onlyMessages(domain, sender) returns (bool) {
        _mint(domain, body, 0);
        return true;
    }

    function handleReceiveUnfinalizedMessage(
        uint32 domain,
        bytes32 sender,
        uint32 finality,
        bytes calldata body
    ) external onlyMessages(domain, sender) returns (bool) {
        require(finality >= MIN_FINALITY, "Unsupported finality threshold");
        require(body.length >= 228, "Invalid burn message: too short");
        uint256 expiration = uint256(bytes32(body[196:228]));
        require(expiration == 0 || expiration > block.number, "Message expired and must be re-signed");
        uint256 fee = uint256(bytes32(body[164:196]));
        require(fee == 0 || fee < uint256(bytes32(body[68:100])), "Fee equals or exceeds amount");
        require(fee <= uint256(bytes32(body[132:164])), "Fee exceeds max fee");
        _mint(domain, body, fee);
        return true;
    }

    function _mint(uint32 domain, bytes calldata body, uint256 fee) private {
        require(body.length >= 228, "Invalid burn message: too short");
        require(uint32(bytes4(body[0:4])) == messageBodyVersion, "Invalid message body version");
        address recipient = address(uint160(uint256(bytes32(body[36:68]))));
        uint256 amount = uint256(bytes32(body[68:100])) - fee;
        address token = localMinter.mint(domain, bytes32(body[4:36]), recipient, feeRecipient, amount, fee);
        emit MintAndWithdraw(recipient, amount, token, fee);
    }
}

/// @notice Stand-in for TokenMinterV2, the minter of the token itself.
contract LocalTokenMinterV2 is LocalCctpOwned {
    address public localTokenMessenger;
    mapping(address token => uint256 most) public burnLimitsPerMessage;
    mapping(bytes32 remote => address token) private _tokens;

    constructor(address owner_) LocalCctpOwned(owner_) {}

    modifier onlyMessenger() {
        require(msg.sender == localTokenMessenger, "Caller not local TokenMessenger");
        _;
    }

    function addLocalTokenMessenger(address messenger) external onlyOwner {
        localTokenMessenger = messenger;
    }

    function linkTokenPair(address token, uint32 domain, bytes32 remoteToken) external onlyOwner {
        _tokens[keccak256(abi.encodePacked(domain, remoteToken))] = token;
    }

    function setMaxBurnAmountPerMessage(address token, uint256 most) external onlyOwner {
        burnLimitsPerMessage[token] = most;
    }

    function getLocalToken(uint32 domain, bytes32 remoteToken) external view returns (address) {
        return _tokens[keccak256(abi.encodePacked(domain, remoteToken))];
    }

    function burn(address token, uint256 amount) external onlyMessenger {
        require(burnLimitsPerMessage[token] > 0, "Burn token not supported");
        require(amount <= burnLimitsPerMessage[token], "Burn amount exceeds per tx limit");
        IMintBurnToken(token).burn(amount);
    }

    function mint(
        uint32 domain,
        bytes32 burnToken,
        address recipient,
        address feeRecipient,
        uint256 amount,
        uint256 fee
    ) external onlyMessenger returns (address token) {
        token = _tokens[keccak256(abi.encodePacked(domain, burnToken))];
        require(token != address(0), "Mint token not supported");
        require(IMintBurnToken(token).mint(recipient, amount), "First mint operation failed");
        if (fee > 0) require(IMintBurnToken(token).mint(feeRecipient, fee), "Second mint operation failed");
    }
}
